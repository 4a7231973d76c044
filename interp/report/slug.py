"""Names for files, made of whatever a user typed."""

import re
import unicodedata


def slug(text: str) -> str:
    """Lower-case ASCII letters, digits and single dashes; may be empty.

    Examples
    --------
    >>> slug("EleutherAI/pythia-160m@50f5173d932e8e61f858120bcb800b97af589f46")
    'eleutherai-pythia-160m-50f5173d93'
    >>> slug("../<b>Café</b>")
    'b-cafe-b'
    """
    text = re.sub(r"\b([0-9a-f]{10})[0-9a-f]{30}\b", r"\1", text)  # a commit, as short as it is shown elsewhere
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80].strip("-")
