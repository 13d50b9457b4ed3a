"""Looks at the inbox in a real browser: `python -m tests.browser.look [FOLDER]`.

Fills a fresh database with a small town, serves the inbox on loopback, walks through it as a
member would, checks what only a browser can tell (policy violations, size of touch targets, words
cut off, a change that arrives by itself, working without JavaScript) and leaves screenshots of
every page, phone and desk, Chinese and English, light and dark. Needs chromium on the PATH.
"""

import asyncio
import contextlib
import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import psycopg
from playwright.async_api import Browser, BrowserContext, Page, async_playwright
from psycopg_pool import AsyncConnectionPool

from alerts.web.app import create_app
from alerts.web.config import WebConfig
from alerts.web.serve import InboxServer
from tests.browser.scene import Scene, stage
from tests.clock import ManualClock
from tests.services import choose
from tests.services.databases import Databases
from tests.web.town import NOW, PASSWORD, both

SIZES = {"phone": (390, 844), "desk": (1280, 800)}
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
]

SMALL_TARGETS = """() => [...document.querySelectorAll('a, button, input, summary, label.choice')]
    .filter(e => e.offsetParent && !e.closest('.skip') && e.type !== 'hidden' && e.type !== 'radio')
    .map(e => [e.getBoundingClientRect(), e.outerHTML.slice(0, 80)])
    .filter(([box]) => box.height < 43.5 || box.width < 40).map(([, html]) => html)"""
OVERFLOW = "() => document.documentElement.scrollWidth > document.documentElement.clientWidth"


@dataclass(frozen=True, slots=True)
class Eye:
    """One way of looking: size of screen, language, light or dark."""

    size: str
    language: str
    scheme: str

    def __str__(self) -> str:
        return f"{self.size}-{self.language}-{self.scheme}"


@contextlib.asynccontextmanager
async def served() -> AsyncIterator[tuple[str, Scene]]:
    """The address of an inbox over the scene."""
    provider = choose.provider()
    with contextlib.closing(provider), Databases(provider.postgres(durable=False).url) as databases:
        name, url = databases.create()
        async with await psycopg.AsyncConnection.connect(url) as conn:
            scene = await stage(conn)
            async with AsyncConnectionPool(url, min_size=1, max_size=6, open=False) as pool:
                config = WebConfig(secret_key="only to look at")
                server = InboxServer(create_app(pool, ManualClock(), config), "127.0.0.1", 0)
                serving = asyncio.create_task(server.serve())
                await server.ready.wait()
                yield f"http://127.0.0.1:{server.port}", scene
                server.stop()
                await serving
        databases.drop(name)


@contextlib.asynccontextmanager
async def looking(
    browser: Browser, address: str, eye: Eye, *, scripts: bool = True
) -> AsyncIterator[Page]:
    """A page in a browser of its own; what its console complains of is an error."""
    width, height = SIZES[eye.size]
    context: BrowserContext = await browser.new_context(
        base_url=address,
        viewport={"width": width, "height": height},
        device_scale_factor=2 if eye.size == "phone" else 1,
        color_scheme="dark" if eye.scheme == "dark" else "light",
        java_script_enabled=scripts,
    )
    page = await context.new_page()
    complaints: list[str] = []
    page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    await page.goto(f"/sign-in?lang={eye.language}")
    yield page
    await context.close()
    expected = [c for c in complaints if "422" not in c and "401" not in c]
    assert not expected, expected


async def sign_in(page: Page, code: str) -> None:
    """As this member."""
    await page.fill("#code", code)
    await page.fill("#password", PASSWORD)
    await page.click("main button")
    await page.wait_for_selector(".headline")


async def shoot(page: Page, folder: Path, name: str) -> None:
    """A screenshot of the whole page, after looking at its measures."""
    assert not await page.evaluate(OVERFLOW), f"{name} is wider than the screen"
    small = await page.evaluate(SMALL_TARGETS)
    assert not small, f"{name}: too small to touch: {small}"
    await page.evaluate("scrollTo(0, 0)")
    await page.screenshot(path=folder / f"{name}.png", full_page=True)


async def walk(browser: Browser, address: str, scene: Scene, eye: Eye, folder: Path) -> None:
    """Every page once."""
    async with looking(browser, address, eye) as page:
        await shoot(page, folder, f"sign-in-{eye}")
        await sign_in(page, "li")
        await page.wait_for_selector("#link.on")
        await shoot(page, folder, f"inbox-{eye}")
        for name, alert in scene.alerts.items():
            await page.goto(f"/alerts/{alert}")
            if name == "spo2":
                await page.click(".evidence summary")
            await page.wait_for_selector("#link.on")
            await shoot(page, folder, f"alert-{name}-{eye}")


async def nothing_to_do(browser: Browser, address: str, eye: Eye, folder: Path) -> None:
    """The empty inbox, a wrong password, a form sent back, a page that does not exist."""
    async with looking(browser, address, eye) as page:
        await page.fill("#code", "qian")
        await page.fill("#password", "wrong password")
        await page.click("main button")
        await page.wait_for_selector(".problem")
        await shoot(page, folder, f"refused-{eye}")
        await sign_in(page, "qian")
        await shoot(page, folder, f"empty-{eye}")


async def live(browser: Browser, address: str, scene: Scene, eye: Eye) -> None:
    """A new alert appears without a reload, and one tap takes it."""
    async with looking(browser, address, eye) as page:
        await sign_in(page, "li")
        await page.wait_for_selector("#link.on")
        title = both("电梯困人", "Trapped in the lift")
        await scene.town.alert("li", title=title, since=NOW - timedelta(seconds=20))
        payload = str(scene.town.members["li"])
        await scene.town.conn.execute("SELECT pg_notify('gridwarden_inbox', %s)", (payload,))
        await scene.town.conn.commit()
        card = page.locator(".card", has_text="电梯困人")
        await card.wait_for()
        assert (await page.title()).startswith("("), "the title counts what waits"
        await card.locator("button").click()
        await page.wait_for_selector(".reply")


async def without_scripts(browser: Browser, address: str, scene: Scene, eye: Eye) -> None:
    """Sign in, close an alert with a missing note, then with one."""
    async with looking(browser, address, eye, scripts=False) as page:
        await sign_in(page, "li")
        await page.goto(f"/alerts/{scene.alerts['door']}")
        await page.check("[value=false_alarm]")
        await page.click("#close button")
        await page.wait_for_selector("#note-problem")
        await page.fill("#note", "门吸松动，已报修")
        await page.click("#close button")
        await page.wait_for_selector(".reply")


async def look(chromium: str, folder: Path) -> None:
    """Looks with every eye."""
    eyes = [Eye(s, lang, c) for s in SIZES for lang in ("zh", "en") for c in ("light", "dark")]
    async with served() as (address, scene), async_playwright() as play:
        browser = await play.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        for eye in eyes:
            await walk(browser, address, scene, eye, folder)
        for eye in (eyes[0], eyes[-1]):
            await nothing_to_do(browser, address, eye, folder)
        await live(browser, address, scene, eyes[0])
        await without_scripts(browser, address, scene, eyes[0])
        await browser.close()


def main() -> None:
    """Looks, and says where the screenshots are."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("look: there is no chromium on the PATH; install it, then run this again")
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".cache/look")
    folder.mkdir(parents=True, exist_ok=True)
    asyncio.run(look(chromium, folder))
    print(f"look: all well; {len(list(folder.glob('*.png')))} screenshots in {folder}")


if __name__ == "__main__":
    main()
