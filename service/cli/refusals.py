"""What the service refused, said on stderr. (Servers print, too, and know nothing of clients.)"""

from rich.markup import escape
from rich.text import Text

from service.cli.output import messages
from service.client import TrainyardError, UnauthorizedError


def print_problem(error: TrainyardError) -> None:
    """Say what went wrong, and each wrong field, in red on stderr."""
    messages.print(f"[bold red]Error:[/] [red]{escape(error.detail)}[/]", soft_wrap=True)
    for field in error.errors:
        line = "" if field.line is None else f" (line {field.line})"
        text = f"  {field.pointer or '/'}{line}: {field.detail}"
        messages.print(Text(text, style="red"), soft_wrap=True)
    if isinstance(error, UnauthorizedError):
        messages.print("  Put the key into TRAINYARD_API_KEY.")
    if error.status is not None and error.status >= 500 and error.request_id:
        messages.print(f"  The service's log has more under {error.request_id}.", soft_wrap=True)
