"""The capability table of the README is the one that the registry gives."""

import importlib.util


def test_the_readme_shows_what_is_registered(root):
    spec = importlib.util.spec_from_file_location("capabilities", root / "tools/capabilities.py")
    capabilities = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(capabilities)
    readme = (root / "README.md").read_text()
    assert capabilities.fill(readme) == readme, "run python tools/capabilities.py README.md"
