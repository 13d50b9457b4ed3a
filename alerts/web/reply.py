"""What is said after a form: a word in the address, so that a reload and a lost answer are safe."""

from alerts.web.language import Speaker, table


def reply_of(say: Speaker, said: str) -> str:
    """The sentence for this word, nothing for a word that is none of ours."""
    return say(f"reply.{said}") if f"reply.{said}" in table() else ""
