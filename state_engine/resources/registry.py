"""Every resource kind by the name that a module uses. A new kind is one file and one line here."""

from __future__ import annotations

from state_engine.resources.apt_repository import AptRepository
from state_engine.resources.archive import Archive
from state_engine.resources.authorized_key import AuthorizedKey
from state_engine.resources.block_in_file import BlockInFile
from state_engine.resources.certificate import Certificate
from state_engine.resources.container import ContainerKind
from state_engine.resources.contract import Kind
from state_engine.resources.cron import Cron
from state_engine.resources.directory_unix import DirectoryUnix
from state_engine.resources.file_unix import FileUnix
from state_engine.resources.git_checkout import GitCheckout
from state_engine.resources.group_unix import GroupUnix
from state_engine.resources.hostname import Hostname
from state_engine.resources.hosts_entry import HostsEntry
from state_engine.resources.ini_setting import IniSetting
from state_engine.resources.kernel_module import KernelModule
from state_engine.resources.line_in_file import LineInFile
from state_engine.resources.locale import Locale
from state_engine.resources.mount import Mount
from state_engine.resources.network_address import NetworkAddress
from state_engine.resources.network_route import NetworkRoute
from state_engine.resources.nftables import Nftables
from state_engine.resources.package_apk import PackageApk
from state_engine.resources.package_apt import PackageApt
from state_engine.resources.package_dnf import PackageDnf
from state_engine.resources.package_pip import PackagePip
from state_engine.resources.resolv import Resolv
from state_engine.resources.script import Script
from state_engine.resources.service_systemd import ServiceSystemd
from state_engine.resources.sudoers import Sudoers
from state_engine.resources.swap import Swap
from state_engine.resources.symlink_unix import SymlinkUnix
from state_engine.resources.sysctl import Sysctl
from state_engine.resources.timer_systemd import TimerSystemd
from state_engine.resources.timezone import Timezone
from state_engine.resources.user_unix import UserUnix

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        AptRepository(),
        Archive(),
        AuthorizedKey(),
        BlockInFile(),
        Certificate(),
        ContainerKind(),
        Cron(),
        DirectoryUnix(),
        FileUnix(),
        GitCheckout(),
        GroupUnix(),
        Hostname(),
        HostsEntry(),
        IniSetting(),
        KernelModule(),
        LineInFile(),
        Locale(),
        Mount(),
        NetworkAddress(),
        NetworkRoute(),
        Nftables(),
        PackageApk(),
        PackageApt(),
        PackageDnf(),
        PackagePip(),
        Resolv(),
        Script(),
        ServiceSystemd(),
        Sudoers(),
        Swap(),
        SymlinkUnix(),
        Sysctl(),
        TimerSystemd(),
        Timezone(),
        UserUnix(),
    )
}
