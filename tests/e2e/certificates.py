"""Certificates of clients for tests, made by openssl: an authority, and what it signs."""
import pathlib
import subprocess

from harness import program


class Authority:
    """A folder with an authority's certificate in ca.pem, and a pair NAME.pem and NAME.key for each that it signs."""

    def __init__(self, folder, name="Test CA"):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir()
        self.folder.chmod(0o755)  # the roles may run as somebody else
        self.certificate = self.folder / "ca.pem"
        self.run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", f"/CN={name}",
                 "-keyout", self.folder / "ca.key", "-out", self.certificate,
                 "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")

    @staticmethod
    def run(*arguments):
        subprocess.run([program("openssl"), *map(str, arguments)], check=True, capture_output=True, timeout=60)

    EC = ("ec", "-pkeyopt", "ec_paramgen_curve:P-256")

    def sign(self, name, common_name, alternatives="", days=2, usage="clientAuth", kind=EC):
        """(certificate, key); alternatives as openssl has them: "email:a@example.org,DNS:host"; days below 0: it has expired."""
        pair = self.folder / f"{name}.pem", self.folder / f"{name}.key"
        request, extensions = self.folder / f"{name}.csr", self.folder / f"{name}.ext"
        extensions.write_text(f"extendedKeyUsage = {usage}\n" + (f"subjectAltName = {alternatives}\n" if alternatives else ""))
        self.run("req", "-new", "-newkey", *kind, "-nodes", "-subj", f"/CN={common_name}",
                 "-keyout", pair[1], "-out", request)
        self.run("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.folder / "ca.key", "-CAcreateserial",
                 "-days", str(days), "-extfile", extensions, "-out", pair[0])
        return pair
