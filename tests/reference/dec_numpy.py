"""DELIUS's training in plain numpy, float64, with the gradients written out by hand.

Written from the papers' equations and independent of the package: networks are lists of
(weight (out, in), bias) pairs.
"""

from collections.abc import Callable, Iterator

import numpy as np

Layers = list[tuple[np.ndarray, np.ndarray]]
Batches = Callable[[int], np.ndarray]
"""From a step to the numbers of the rows in its batch."""


def forward(layers: Layers, x: np.ndarray) -> list[np.ndarray]:
    """Return the input and every layer's output; ReLU after all but the last."""
    outputs = [x]
    for number, (weight, bias) in enumerate(layers):
        out = outputs[-1] @ weight.T + bias
        outputs.append(np.maximum(out, 0.0) if number < len(layers) - 1 else out)
    return outputs


def backward(
    layers: Layers, outputs: list[np.ndarray], gradient: np.ndarray
) -> tuple[Layers, np.ndarray]:
    """Return the gradients of weights and biases, and of the input, given the output's."""
    gradients: Layers = []
    for number in reversed(range(len(layers))):
        if number < len(layers) - 1:
            gradient = gradient * (outputs[number + 1] > 0)
        gradients.append((gradient.T @ outputs[number], gradient.sum(axis=0)))
        gradient = gradient @ layers[number][0]
    return gradients[::-1], gradient


def soft_assignment(z: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Xie et al. 2016, Eq. 1, alpha = 1."""
    q = np.empty((len(z), len(centroids)))
    for i, point in enumerate(z):
        for j, centroid in enumerate(centroids):
            q[i, j] = 1.0 / (1.0 + np.sum((point - centroid) ** 2))
        q[i] /= q[i].sum()
    return q


def target_distribution(q: np.ndarray) -> np.ndarray:
    """Xie et al. 2016, Eq. 3, with the frequencies of all rows given."""
    weight = q**2 / q.sum(axis=0)
    return weight / weight.sum(axis=1, keepdims=True)


def kl_divergence(p: np.ndarray, q: np.ndarray) -> float:
    """Xie et al. 2016, Eq. 2, averaged over samples."""
    return float(np.sum(p * np.log(p / q)) / len(p))


def kl_gradients(
    p: np.ndarray, q: np.ndarray, z: np.ndarray, centroids: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Xie et al. 2016, Eqs. 4 and 5, of the mean over samples: by points and by centroids."""
    difference = z[:, None, :] - centroids[None, :, :]
    kernel = 1.0 / (1.0 + np.sum(difference**2, axis=2))
    terms = 2.0 * (kernel * (p - q))[:, :, None] * difference / len(z)
    return terms.sum(axis=1), -terms.sum(axis=0)


class Adam:
    """Kingma and Ba 2015, Algorithm 1; changes its parameters in place."""

    def __init__(self, parameters: list[np.ndarray], learning_rate: float = 1e-3) -> None:
        self.parameters = parameters
        self.learning_rate = learning_rate
        self.first = [np.zeros_like(value) for value in parameters]
        self.second = [np.zeros_like(value) for value in parameters]
        self.steps = 0

    def step(self, gradients: list[np.ndarray]) -> None:
        self.steps += 1
        for value, gradient, first, second in zip(
            self.parameters, gradients, self.first, self.second, strict=True
        ):
            first += 0.1 * (gradient - first)
            second += 0.001 * (gradient**2 - second)
            unbiased_first = first / (1 - 0.9**self.steps)
            unbiased_second = second / (1 - 0.999**self.steps)
            value -= self.learning_rate * unbiased_first / (np.sqrt(unbiased_second) + 1e-8)


def flatten(layers: Layers) -> list[np.ndarray]:
    return [array for layer in layers for array in layer]


def pretrain(
    x: np.ndarray, encoder: Layers, decoder: Layers, batches: Batches, steps: int
) -> Iterator[float]:
    """Minimise the mean squared reconstruction error in place; yield each batch's."""
    layers = encoder + decoder
    # A ReLU stands between the layers of each half, none between the halves: the code is linear.
    adam = Adam(flatten(layers))
    for step in range(steps):
        batch = x[batches(step)]
        codes = forward(encoder, batch)
        outputs = forward(decoder, codes[-1])
        error = outputs[-1] - batch
        decoder_gradients, code_gradient = backward(decoder, outputs, 2 * error / error.size)
        encoder_gradients, _ = backward(encoder, codes, code_gradient)
        adam.step(flatten(encoder_gradients + decoder_gradients))
        yield float(np.mean(error**2))


def refine(
    x: np.ndarray,
    encoder: Layers,
    centroids: np.ndarray,
    batches: Batches,
    *,
    refresh_every: int,
    tolerance: float,
    max_iterations: int,
) -> list[tuple[int, float, float, list[int]]]:
    """DEC in place; return iteration, loss, label change and sizes at every refresh."""
    adam = Adam([*flatten(encoder), centroids])
    history: list[tuple[int, float, float, list[int]]] = []
    labels = None
    iteration = 0
    while True:
        if iteration % refresh_every == 0 or iteration == max_iterations:
            q = soft_assignment(forward(encoder, x)[-1], centroids)
            p = target_distribution(q)
            previous, labels = labels, q.argmax(axis=1)
            change = 0.0 if previous is None else float(np.mean(previous != labels))
            sizes = [int(np.sum(labels == cluster)) for cluster in range(len(centroids))]
            history.append((iteration, kl_divergence(p, q), change, sizes))
            if iteration == max_iterations or (iteration > 0 and change < tolerance):
                return history
        rows = batches(iteration)
        outputs = forward(encoder, x[rows])
        q_batch = soft_assignment(outputs[-1], centroids)
        by_point, by_centroid = kl_gradients(p[rows], q_batch, outputs[-1], centroids)
        encoder_gradients, _ = backward(encoder, outputs, by_point)
        adam.step([*flatten(encoder_gradients), by_centroid])
        iteration += 1
