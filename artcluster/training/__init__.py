"""Training loops of autoencoders and of DEC: plain torch, with a sum over ranks handed in."""
