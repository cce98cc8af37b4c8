"""One transfer already played through, which the page shows before anything is uploaded.

`python recipes/page_example.py` makes its files.
"""

from pathlib import Path

from pydantic import TypeAdapter
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from thirdstream.web import html
from thirdstream.web.jobs import Result

FOLDER = Path(__file__).parent / "example"
DATA = "example.json"  # a Result, whose files are beside it


def card() -> str:
    """The example as HTML."""
    result = TypeAdapter(Result).validate_json((FOLDER / DATA).read_bytes())
    return html.card(result, folder=FOLDER, link=lambda path: f"example/{path}",
                     template="example.html")  # fmt: skip


async def served(request: Request) -> Response:
    """The route of the example's files."""
    name = request.path_params["name"]
    if name not in {path.name for path in FOLDER.iterdir()}:
        raise HTTPException(404)
    return FileResponse(FOLDER / name)
