"""A picture of the page as it answers, for the docs. Needs playwright and a Chromium.

unified-io demo --model_dir=runs/toy --port=8000
python tools/page_picture.py http://127.0.0.1:8000/ --image scene.png --words "detect the objects" --out docs/page.png
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import expect, sync_playwright


def main() -> None:
    """Asks one question in the page and photographs it when it is answered."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("url", help="where the page is")
    parser.add_argument("--image", type=Path, help="a picture to drop")
    parser.add_argument("--words", default="")
    parser.add_argument("--answer", default="text", help="what to ask for, as the page calls it")
    parser.add_argument("--temperature", default="0")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), help="a browser; default: playwright's own"
    )
    args = parser.parse_args()
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=args.chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1100, "height": 860}, reduced_motion="reduce")
        page.goto(args.url)
        page.get_by_role("textbox", name="Words").fill(args.words)
        if args.image:
            page.locator("#image-file").set_input_files(args.image)
        page.get_by_role("combobox", name="As").select_option(label=args.answer)
        page.get_by_role("spinbutton", name="Temperature").fill(args.temperature)
        page.get_by_role("button", name="Ask").click()
        expect(page.locator("#status")).to_contain_text("Done", timeout=300_000)
        page.screenshot(path=args.out, full_page=True)
        browser.close()


if __name__ == "__main__":
    main()
