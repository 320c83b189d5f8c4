"""Translate the SAM template as the deployment does, and lint what comes out.

Neither `sam validate` nor its `--lint` sees what this sees (docs/decisions.md has the counts).
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cfnlint.decode.cfn_yaml import load as load_template
from samtranslator.public.exceptions import InvalidDocumentException
from samtranslator.public.translator import ManagedPolicyLoader
from samtranslator.translator.transform import transform

REGION = "eu-west-1"


class _NoManagedPolicies(ManagedPolicyLoader):  # type: ignore[misc]
    """The template names no managed policies by their short names, so none need be loaded."""

    def __init__(self) -> None:
        super().__init__(iam_client=None)

    def load(self) -> dict[str, str]:
        return {}


def main(path: Path) -> int:
    """Lint the translation of the template at `path`; return the exit code."""
    os.environ["AWS_DEFAULT_REGION"] = REGION  # the translator asks for one
    template = json.loads(json.dumps(load_template(str(path))))
    for resource in template["Resources"].values():
        for key in ("CodeUri", "ContentUri"):  # the translator wants what `sam package` uploads
            if key in resource.get("Properties", {}):
                resource["Properties"][key] = "s3://bucket/key"
    parameters = {
        name: parameter["Default"]
        for name, parameter in template.get("Parameters", {}).items()
        if "Default" in parameter
    }
    try:
        translated = transform(template, parameters, _NoManagedPolicies())
    except InvalidDocumentException as error:
        for cause in error.causes:
            print(cause.message, file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "translated.json"
        output.write_text(json.dumps(translated, indent=1))
        cfn_lint = Path(sys.executable).parent / "cfn-lint"
        command: list[str | Path] = [cfn_lint, "--regions", REGION, "--", output]
        return subprocess.run(command, check=False).returncode  # noqa: S603


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
