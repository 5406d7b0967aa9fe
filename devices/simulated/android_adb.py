"""The simulated Android behind its adbd: shell commands, files and reboot wired together."""

from __future__ import annotations

from devices.simulated import shell_dumpsys, shell_files, shell_owner, shell_screen, shell_system
from devices.simulated.adbd import AdbDaemon
from devices.simulated.android_shell import AndroidShell
from devices.simulated.android_system import AndroidSystem, Power

COMMANDS = (
    shell_files.COMMANDS
    | shell_system.COMMANDS
    | shell_owner.COMMANDS
    | shell_dumpsys.COMMANDS
    | shell_screen.COMMANDS
)


def adb_daemon(android: AndroidSystem) -> AdbDaemon:
    """An adbd for this Android, not yet listening. It goes down and comes up with the system."""
    shell = AndroidShell(android, COMMANDS)
    properties = android.properties
    daemon = AdbDaemon(
        shell.run,
        android.files,
        product=properties.get("ro.product.name"),
        model=properties.get("ro.product.model"),
        reboot=android.reboot,
    )
    android.subscribe_power(lambda power: daemon.go_down() if power is Power.DOWN else daemon.come_up())
    return daemon
