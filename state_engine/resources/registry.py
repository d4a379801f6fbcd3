"""Every resource kind by the name that a module uses. A new kind is one file and one line here."""

from __future__ import annotations

from state_engine.resources.apt_repository import AptRepository
from state_engine.resources.authorized_key import AuthorizedKey
from state_engine.resources.block_in_file import BlockInFile
from state_engine.resources.contract import Kind
from state_engine.resources.cron import Cron
from state_engine.resources.directory_unix import DirectoryUnix
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.group_unix import GroupUnix
from state_engine.resources.hostname import Hostname
from state_engine.resources.hosts_entry import HostsEntry
from state_engine.resources.ini_setting import IniSetting
from state_engine.resources.kernel_module import KernelModule
from state_engine.resources.line_in_file import LineInFile
from state_engine.resources.package_apt import PackageApt
from state_engine.resources.package_pip import PackagePip
from state_engine.resources.script import Script
from state_engine.resources.service_systemd import ServiceSystemd
from state_engine.resources.sudoers import Sudoers
from state_engine.resources.symlink_unix import SymlinkUnix
from state_engine.resources.sysctl import Sysctl
from state_engine.resources.timer_systemd import TimerSystemd
from state_engine.resources.timezone import Timezone
from state_engine.resources.user_unix import UserUnix

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        AptRepository(),
        AuthorizedKey(),
        BlockInFile(),
        Cron(),
        DirectoryUnix(),
        FileUnix(),
        GroupUnix(),
        Hostname(),
        HostsEntry(),
        IniSetting(),
        KernelModule(),
        LineInFile(),
        PackageApt(),
        PackagePip(),
        Script(),
        ServiceSystemd(),
        Sudoers(),
        SymlinkUnix(),
        Sysctl(),
        TimerSystemd(),
        Timezone(),
        UserUnix(),
    )
}
