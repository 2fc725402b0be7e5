"""Access keys of HTTP functions, in the shape that the real host keeps them in."""

import hmac
import json
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from local.functions_host.model import AuthLevel


class AccessKeys(BaseModel):
    """Keys by name, of the whole host and of single functions.

    Args:
        master_key: Opens everything, and alone what asks for level `admin`.
        function_keys: Open every function of level `function`.
        functions: Function name to its own keys.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    master_key: str = Field(alias="masterKey", min_length=1)
    function_keys: Mapping[str, str] = Field(alias="functionKeys", default_factory=dict)
    functions: Mapping[str, Mapping[str, str]] = Field(default_factory=dict)

    def allow(self, level: AuthLevel, function: str, key: str | None) -> bool:
        """Whether `key` opens `function`."""
        if level is AuthLevel.ANONYMOUS:
            return True
        allowed = [self.master_key]
        if level is AuthLevel.FUNCTION:
            allowed += [*self.function_keys.values(), *self.functions.get(function, {}).values()]
        given = (key or "").encode()
        return any(hmac.compare_digest(one.encode(), given) for one in allowed if one)


def load_keys(path: Path) -> AccessKeys:
    """Read a file with `masterKey`, `functionKeys` and `functions`.

    Raises:
        ValueError: It cannot be read, or holds something else; the message shows no key.
    """
    try:
        return AccessKeys.model_validate(json.loads(path.read_text("utf-8")))
    except OSError as error:
        raise ValueError(f"{path}: {error.strerror}") from error
    except json.JSONDecodeError as error:
        raise ValueError(f"{path}: {error}") from error
    except ValidationError as error:
        places = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"{path}: {places}") from None
