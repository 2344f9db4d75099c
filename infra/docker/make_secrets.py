"""Makes the secrets of `docker-compose.yml`, once: `.venv/bin/python infra/docker/make_secrets.py [FOLDER]`.

Each secret is a file in `secrets/`. Nobody else may enter the folder; inside, the files can be read, because a
container's user is not the one who made them. Git ignores the folder by a `.gitignore` of its own.
"""

import json
import secrets
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from fenta.chassis.identity import public_half
from fenta.contracts.topics import SERVICES
from fenta.embedded.home import Home

ADMINISTRATOR, DATABASE, SERVER = "fenta_admin", "fenta", "postgres:5432"


def contents() -> dict[str, str]:
    """Every file by its name, with keys such as a stack on one machine has too."""
    with TemporaryDirectory() as folder:
        made = Home(Path(folder)).secrets
    passwords = made["database_passwords"]
    administrator = secrets.token_urlsafe(24)
    return {
        "postgres_password": administrator,
        "migrate.env": f"DATABASE_URL={_url(ADMINISTRATOR, administrator)}",
        "database_passwords": json.dumps(passwords),
        **{f"database_url_{service}": _url(f"fenta_{service}", passwords[service]) for service in SERVICES},
        "jwt_signing_keys": made["jwt_signing_keys"],
        "identity_public_keys": public_half(made["jwt_signing_keys"]),
        "encryption_keys": made["encryption_keys"],
        "fanta_projekt_api_key": secrets.token_urlsafe(24),
        "aws_access_key_id": made["aws_access_key_id"],
        "aws_secret_access_key": made["aws_secret_access_key"],
        ".gitignore": "*",
    }


def _url(role: str, password: str) -> str:
    return f"postgresql://{role}:{password}@{SERVER}/{DATABASE}"


def main(folder: Path) -> None:
    if (folder / "postgres_password").exists():
        sys.exit(f"{folder} has secrets already. Databases know them, so they are not made anew.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, text in contents().items():
        (folder / name).write_text(text + "\n")
        (folder / name).chmod(0o444)
    sys.stdout.write(f"Secrets are in {folder}; keep a copy where only you can read it.\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path("secrets"))
