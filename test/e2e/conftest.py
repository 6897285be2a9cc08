"""Servers for the tests: one PostgreSQL and one Kafka that most share, each test with its own database and topics."""

import sys
import pathlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import contextlib
import itertools

import pytest

from rig import kafka, postgres, processes
from pipeline import Pipeline

_numbers = itertools.count(1)


def pytest_configure(config):
    processes.exit_on_signals()
    config.addinivalue_line("markers", "since(version): what is tested came with this major version of PostgreSQL")


def pytest_collection_modifyitems(items):
    version = postgres.major_version()
    for item in items:
        for marker in item.iter_markers("since"):
            if version < marker.args[0]:
                item.add_marker(pytest.mark.skip(f"is for PostgreSQL {marker.args[0]} and later"))


@pytest.fixture(scope="session")
def installation():
    with postgres.Installation() as made:
        yield made


@pytest.fixture(scope="session")
def server(installation):
    """The shared server. A test that stops or crashes its server starts one of its own: `own_server`."""
    with postgres.Server(installation) as started:
        yield started


@pytest.fixture(scope="session")
def broker():
    """The shared broker, with the same rule."""
    with kafka.Broker() as started:
        yield started


@pytest.fixture
def own_server(installation):
    with postgres.Server(installation) as started:
        yield started


@pytest.fixture
def own_broker():
    with kafka.Broker() as started:
        yield started


@pytest.fixture
def pipeline(server, broker):
    """A database with the extension, a shipper's role, and prefixes and configurations that go together."""
    made = Pipeline(server, broker, f"t{next(_numbers)}")
    yield made
    made.close()


@pytest.fixture
def pipeline_in(server, broker):
    """The same for a database in an encoding, or of a locale, that the test names."""
    with contextlib.ExitStack() as stack:
        def make(encoding: str = "UTF8", options: str = "") -> Pipeline:
            made = Pipeline(server, broker, f"t{next(_numbers)}", encoding=encoding, options=options)
            stack.callback(made.close)
            return made

        yield make
