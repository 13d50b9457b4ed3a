"""The service as the demo's child: `python -m gridwarden.demo_service READY_FILE`.

Settings come from the environment. The file appears when the service is ready; SIGTERM stops it.
"""

import asyncio
import signal
import sys
from pathlib import Path

from gridwarden import log
from gridwarden.service import run
from gridwarden.settings import Settings


async def serve(ready_file: Path) -> None:
    """Run the service until SIGTERM."""
    settings = Settings()
    log.configure(settings.log_level)
    ready, stop = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    tell = asyncio.create_task(_tell(ready, ready_file), name="tell when ready")
    try:
        await run(settings, ready=ready, stop=stop)
    finally:
        tell.cancel()


async def _tell(ready: asyncio.Event, ready_file: Path) -> None:
    await ready.wait()
    await asyncio.to_thread(ready_file.touch)


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
