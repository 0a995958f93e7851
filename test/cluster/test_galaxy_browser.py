"""Galaxy's web client in a real browser, used as a person uses it."""

import re
import secrets
import shutil

import pytest
from engine import wait_for
from images import TREE
from selenium import webdriver
from selenium.common.exceptions import (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

from cluster.test_galaxy import ask

PROGRAMS = {name: shutil.which(name) for name in ("chromium", "chromedriver")}
MISSING = [name for name, path in PROGRAMS.items() if not path]
# A mark, and no skip in a fixture: the lab would have been made by then.
pytestmark = pytest.mark.skipif(
    bool(MISSING),
    reason=f"no {' and no '.join(MISSING)} here; apt-get install chromium chromium-driver",
)

SCREENSHOT = TREE / "test/artefacts/galaxy-upload.png"
OPTIONS = """
    --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-quic --no-first-run
    --disable-background-networking --disable-component-update --disable-sync
    --window-size=1400,1000
""".split()
# The client draws its page in pieces, and draws pieces again: what is not so yet may be so soon.
NOT_YET = (
    ElementClickInterceptedException,
    ElementNotInteractableException,
    NoSuchElementException,
    StaleElementReferenceException,
)


@pytest.fixture
def browser(galaxy, tmp_path):
    """Return a browser without a past; keep what it showed in the end, right or wrong."""
    if galaxy.galaxy is None:
        pytest.skip(f"no host of the topology {galaxy.settings['topology']} has Galaxy")
    options = webdriver.ChromeOptions()
    # With both programs named, Selenium neither looks for one nor downloads it.
    options.binary_location = str(PROGRAMS["chromium"])
    for option in (*OPTIONS, f"--user-data-dir={tmp_path}"):
        options.add_argument(option)
    driver = webdriver.Chrome(options, webdriver.ChromeService(PROGRAMS["chromedriver"]))
    try:
        yield driver
        SCREENSHOT.parent.mkdir(exist_ok=True)
        assert driver.save_screenshot(SCREENSHOT)
    finally:
        driver.quit()


def until(browser, what, probe, seconds=60):
    """Call `probe` on the page until it returns something true, and return that."""
    waiting = WebDriverWait(browser, seconds, poll_frequency=0.2, ignored_exceptions=NOT_YET)
    return waiting.until(probe, f"{what}: not so after {seconds} s; see {SCREENSHOT}")


def click(browser, css):
    """Click on an element, as soon as it is there and nothing covers it."""

    def clicked(page):
        page.find_element(By.CSS_SELECTOR, css).click()
        return True

    until(browser, f"{css} can be clicked", clicked)


def write(browser, css, text):
    """Type a text into a field, in the place of what it holds."""

    def written(page):
        field = page.find_element(By.CSS_SELECTOR, css)
        field.clear()
        field.send_keys(text)
        return field.get_property("value") == text

    until(browser, f"{css} holds what was typed", written)


def log_in(browser, url, admin):
    """Open the page and log in by the form."""
    browser.get(url)
    click(browser, "#masthead #user a")
    write(browser, "#login-form-name", admin["mail"])
    write(browser, "#login-form-password", admin["password"])
    click(browser, "#login button[type=submit]")
    user = "#masthead #user.loggedin-only"
    until(browser, "logged in", lambda page: page.find_element(By.CSS_SELECTOR, user))


def upload(browser, name, text):
    """Paste a text into the upload dialog; return the dataset in the history once it has ended."""
    click(browser, "#activity-upload")
    # Every tab of the dialog has buttons of these ids.
    click(browser, "#regular #btn-new")
    write(browser, "#regular .upload-title", name)
    write(browser, "#regular .upload-text-content", text)
    click(browser, "#regular #btn-start:not(.g-disabled)")
    click(browser, "#regular #btn-close")

    def ended(page):
        found = f"//*[@id='current-history-panel']//*[@data-state][.//*[text()='{name}']]"
        item = page.find_element(By.XPATH, found)
        return item.get_attribute("data-state") in ("ok", "error") and item

    return until(browser, "the dataset has ended", ended, 180)


def test_a_text_pasted_into_the_web_client_becomes_a_dataset_through_slurm(galaxy, admin, browser):
    name, text = f"typed by hand {secrets.token_hex(4)}", "some words that a person has typed"
    log_in(browser, galaxy.galaxy_url, admin)
    item = upload(browser, name, text)
    assert item.get_attribute("data-state") == "ok"
    colour = item.value_of_css_property("background-color")
    red, green, blue = map(int, re.findall(r"\d+", colour)[:3])
    assert green > max(red, blue), colour
    key = item.get_attribute("id")
    click(browser, f"#{key} .content-title")
    until(
        browser,
        "the dataset shows its first lines",
        lambda page: text in page.find_element(By.ID, key).text,
    )

    dataset = ask(galaxy, admin, f"datasets/{key.removeprefix('dataset-')}")
    assert (dataset["name"], dataset["state"]) == (name, "ok")
    params = ask(galaxy, admin, f"jobs/{dataset['creating_job']}/destination_params")
    assert params["Runner"] == "slurm"

    def left_the_node():
        job = galaxy.exec("head", ["scontrol", "show", "job", params["Runner Job ID"]]).stdout
        fields = dict(word.partition("=")[::2] for word in job.split())
        return fields["JobState"] != "COMPLETING" and fields

    job = wait_for("Slurm is done with the job", left_the_node)
    assert (job["UserId"].partition("(")[0], job["JobState"]) == ("galaxy", "COMPLETED")
