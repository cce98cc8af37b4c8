"""Takes uploads: counted before they are written, and gone at once where they do not arrive."""

from typing import Any

from gradio.route_utils import upload_fn
from gradio.routes import file_upload_statuses
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from thirdstream.files import ThirdstreamError
from thirdstream.web.guard import SESSION_HEADER, CountedBody
from thirdstream.web.sessions import Sessions

FRAME_BYTES = 100_000  # of a request around its file


class TooLarge(Exception):
    """More came than one upload may have."""


class Uploads:
    """The route by which one file comes into the folder of its session."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.most = 1_000_000 * sessions.limits.max_mb

    async def upload(self, request: Request) -> Response:
        """Answer with a list of the one path, or with why there is none."""
        name = request.headers.get(SESSION_HEADER, "")
        upload_id = request.query_params.get("upload_id", "")[:64] or None
        n_bytes = int(request.headers.get("content-length") or self.most)
        body = CountedBody(request.receive)
        try:
            if n_bytes > self.most + FRAME_BYTES:
                raise TooLarge
            session = self.sessions.session(name)
            with self.sessions.reserved(name, n_bytes), session.new_folder("upload") as folder:
                return JSONResponse(await self._written(request, body, str(folder), upload_id))
        except ClientDisconnect:
            return Response(status_code=400)
        except Exception as error:  # of a body that is none: gradio is unprepared
            await body.drain(self.most)
            return self._refusal(error)
        finally:
            if upload_id:
                file_upload_statuses.set_done(upload_id)

    async def _written(
        self, request: Request, body: CountedBody, folder: str, upload_id: str | None
    ) -> list[str]:
        async def received() -> Any:
            message = await body()
            if body.n_read > self.most + FRAME_BYTES:  # whatever it said of itself
                raise TooLarge
            return message

        progress = file_upload_statuses if upload_id else None
        counted = Request(request.scope, received)
        paths, *_ = await upload_fn(
            counted, folder, self.most, upload_id, force_move=True, upload_progress=progress
        )
        if len(paths) != 1:
            raise HTTPException(400, "send one file at a time")
        return [str(path) for path in paths]

    def _refusal(self, error: Exception) -> Response:
        message = getattr(error, "message", "")
        if isinstance(error, TooLarge) or "maximum allowed size" in message:
            most = self.sessions.limits.max_mb
            return Response(f"the file exceeds the maximum allowed size of {most} MB", 413)
        if isinstance(error, ThirdstreamError):
            return Response(str(error), 507)
        fault = message or getattr(error, "detail", "that is no upload of a file")
        return Response(fault, 400)
