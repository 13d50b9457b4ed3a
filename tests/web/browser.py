"""A browser without a screen: keeps cookies, and fills in the forms it was sent."""

import re
from dataclasses import dataclass

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient, Response

from tests.web.town import PASSWORD

_TOKEN = re.compile(r'name="form_token" value="([^"]+)"')


@dataclass(slots=True)
class Browser:
    """One person at one phone."""

    client: AsyncClient

    @classmethod
    def at(cls, app: FastAPI, address: str = "http://inbox.test") -> "Browser":
        """A new browser of this application; close its client."""
        return cls(AsyncClient(transport=ASGITransport(app), base_url=address))

    async def get(self, path: str, **headers: str) -> Response:
        """The page at this path, redirects not followed."""
        return await self.client.get(path, headers=headers)

    async def submit(self, page: str, action: str, **fields: str) -> Response:
        """Loads a page, and sends a form of it with the token it carries."""
        token = _TOKEN.search((await self.get(page)).text)
        assert token is not None, f"{page} has no form"
        return await self.client.post(action, data={"form_token": token[1], **fields})

    async def sign_in(self, code: str, password: str = PASSWORD, to: str = "/") -> Response:
        """The answer to the sign-in form."""
        return await self.submit("/sign-in", "/sign-in", code=code, password=password, to=to)
