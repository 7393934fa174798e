"""Every built page, seen by a browser the size of a phone: it loads, and can be read.

Left out only where selenium or Chromium with its driver is not installed.
"""

import shutil
from pathlib import Path

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is missing (asysg[docs])")
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
if CHROMIUM is None or DRIVER is None:
    pytest.skip("chromium and chromedriver are not installed", allow_module_level=True)

LOOK = Path(__file__).with_name("look.js").read_text()
PHONE = {"width": 390, "height": 844, "deviceScaleFactor": 1, "mobile": False}
KINDS = ("script", "console", "images", "formulas", "markup", "wide", "light", "dark")


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    for flag in (
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        # A page that asks any other host for anything shows as an error of its console.
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        f"--user-data-dir={tmp_path_factory.mktemp('profile')}",
    ):
        options.add_argument(flag)
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    driver.set_script_timeout(120)
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", PHONE)
    yield driver
    driver.quit()


def look(browser, address: str) -> dict[str, list[str]]:
    """Open a page and return what is wrong with it, by kind."""
    browser.get(address)
    found = browser.execute_async_script(LOOK)
    log = browser.get_log("browser")
    found["console"] = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
    return {kind: what for kind, what in found.items() if what}


@pytest.fixture(scope="module")
def seen(browser, html, serve) -> dict[str, dict[str, list[str]]]:
    """What is wrong, by page and kind."""
    address = serve(html)
    found = (path.relative_to(html) for path in html.rglob("*.html"))
    pages = sorted(str(page) for page in found if not page.parts[0].startswith("_"))
    return {page: look(browser, f"{address}/{page}") for page in pages}


@pytest.mark.parametrize("kind", KINDS)
def test_no_page_has_a_fault(seen, kind):
    faults = [f"{page}: {fault}" for page, found in seen.items() for fault in found.get(kind, [])]
    assert not faults, "\n" + "\n".join(faults)


def test_all_pages_were_seen(seen):
    assert {"index.html", "tutorial/first-run.html", "gallery/index.html"} <= set(seen)
    assert len(seen) > 100
    assert {kind for found in seen.values() for kind in found} <= set(KINDS)


FAULTY = {
    "script": "<script>document.createElement = () => null</script>",
    "console": "<script>throw new Error('seeded')</script>",
    "images": "<img src='nowhere.png' alt='none'>",
    "formulas": r"<span class='math'>\(x^2\)</span>",
    "markup": "<article>see :doc:`nowhere`</article>",
    "wide": "<div style='width: 900px; height: 9px'>broad</div>",
    "light": "<p style='color: #ddd; background: #fff'>faint</p>",
    "dark": "<style>html[data-theme=dark] p { color: #222; background: #000 }</style><p>dim</p>",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_fault_would_be_seen(browser, serve, tmp_path, kind):
    Path(tmp_path, "index.html").write_text(
        f"<!doctype html><link rel=icon href='data:,'><body>{FAULTY[kind]}</body>"
    )
    assert kind in look(browser, f"{serve(tmp_path)}/index.html")
