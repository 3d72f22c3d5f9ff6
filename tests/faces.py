"""A small archive of faces: photographs of known people, and copies made of them."""

from pathlib import Path

from PIL import Image, ImageEnhance, ImageOps

PICTURES = Path(__file__).parent.parent / "examples" / "faces" / "images"
PEOPLE = ("obama", "hopper", "collins", "biden")


def person_of(path: str) -> str:
    """Return whose face a picture shows, by the beginning of its name; '' for nobody's."""
    return next((each for each in PEOPLE if path.startswith(each)), "")


def make_face_archive(target: Path) -> None:
    """Write the photographs and copies of them into a folder.

    There are five faces of Obama (three photographs), three of Hopper and of Collins (one
    photograph each, mirrored and darkened), one of Biden, two in one picture, and two pictures
    without any.
    """
    target.mkdir(parents=True)
    for file in PICTURES.iterdir():
        (target / file.name).write_bytes(file.read_bytes())

    def opened(name: str) -> Image.Image:
        return Image.open(PICTURES / name).convert("RGB")

    opened("obama-portrait.jpg").convert("L").save(target / "obama-grey.png")
    for who in ("hopper", "collins"):
        portrait = opened(f"{who}-portrait.jpg")
        ImageOps.mirror(portrait).save(target / f"{who}-mirrored.png")
        dark = ImageEnhance.Brightness(portrait).enhance(0.6).rotate(7, Image.Resampling.BICUBIC)
        dark.save(target / f"{who}-dark.jpg", quality=80)
    # Stored on its side, to be turned upright by EXIF.
    exif = Image.Exif()
    exif[0x0112] = 6
    side = opened("obama-speaking.jpg").transpose(Image.Transpose.ROTATE_90)
    side.save(target / "obama-turned.jpg", quality=90, exif=exif)
    both = Image.new("RGB", (960, 480), "white")
    both.paste(opened("biden-portrait.jpg"), (60, 0))
    both.paste(opened("collins-portrait.jpg"), (480, 0))
    both.save(target / "two-people.jpg", quality=90)
