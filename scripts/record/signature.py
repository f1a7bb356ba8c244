"""Who signed a record: `SHA256SUMS.sig`, an SSH signature of its checksums (ssh-keygen -Y, OpenSSH PROTOCOL.sshsig)."""

import subprocess

from record.checksums import NAME, SIGNATURE

NAMESPACE = "build-reasoning-model"  # a signature for another purpose does not count


def ssh_keygen(action, signature, sums, *options):
    """A finished `ssh-keygen -Y <action>` that reads the checksums, or another file; None without ssh-keygen."""
    given = [] if action == "sign" else ["-s", signature]  # to sign standard input prints the signature
    command = ["ssh-keygen", "-Y", action, "-n", NAMESPACE, *given, *options]
    try:
        return subprocess.run(command, stdin=sums.open("rb"), capture_output=True, text=True)
    except FileNotFoundError:
        return None


def check(record, signers):
    """`(wrong, said)`: is the record's signature, if it has one, that of somebody in the allowed-signers file?"""
    sums, signature = record / NAME, record / SIGNATURE
    if not signature.exists():
        return [], ["not signed"]
    valid = ssh_keygen("check-novalidate", signature, sums)
    if valid is None:
        return [], [f"signature NOT checked: there is no ssh-keygen here ({SIGNATURE})"]
    if valid.returncode:
        return [f"{signature}: not a signature of {sums}"], []
    key = valid.stdout.strip().rpartition(" ")[2]
    if not signers.exists():
        return [], [f"signed with key {key}; whose it is, {signers} would say, which is not here"]
    names = ssh_keygen("find-principals", signature, sums, "-f", signers).stdout.split()
    for name in names:
        if ssh_keygen("verify", signature, sums, "-f", signers, "-I", name).returncode == 0:
            return [], [f"signed by {name} with key {key}"]
    return [f"{signature}: signed with key {key}, whose owner is not in {signers}"], []
