"""The base of every config model: unknown fields are errors, values do not change."""

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Checked, immutable settings of one stage."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
