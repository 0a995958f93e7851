#!/bin/sh
# Makes a Debian container into a host of the lab, without MUNGE and Slurm. Runs inside it, with
# this folder and the files that lab.py generates mounted at /lab:  provision.sh SALT_VERSION
set -eu

salt=$1
build="gcc libc6-dev python3-dev python3-venv"
export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8

echo force-unsafe-io >/etc/dpkg/dpkg.cfg.d/lab
cp /lab/apt.conf /etc/apt/apt.conf.d/90lab
rm -f /etc/apt/sources.list.d/*
cp /lab/sources.list /etc/apt/sources.list
printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
chmod +x /usr/sbin/policy-rc.d

apt-get update
# shellcheck disable=SC2086
apt-get install -y --no-install-recommends systemd systemd-sysv dbus iproute2 procps python3 \
    ca-certificates openssh-server openssh-client $build

# Trust what the machine trusts: an authority of its own stands between it and the package indexes.
python3 - <<'END'
import pathlib, re
pem = re.compile(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----\n", re.S)
known = set(pem.findall(pathlib.Path("/etc/ssl/certs/ca-certificates.crt").read_text()))
for n, cert in enumerate(pem.findall(pathlib.Path("/lab/ca.crt").read_text())):
    if cert not in known:
        pathlib.Path(f"/usr/local/share/ca-certificates/lab-{n}.crt").write_text(cert)
END
update-ca-certificates
cp /lab/pip.conf /etc/pip.conf

python3 -m venv /opt/salt
/opt/salt/bin/pip install --no-compile "salt==$salt"
# On all cores, where pip would compile on one; without it the first call of every host pays.
/opt/salt/bin/python -m compileall -q -j 0 /opt/salt/lib || true  # some plugins are of Python 2
ln -s /opt/salt/bin/salt* /usr/local/bin/
salt --version  # some releases (3007.12 to 3007.14) don't name what they need to pip
cp /lab/salt-master.service /lab/salt-minion.service /etc/systemd/system/

# shellcheck disable=SC2086
apt-get purge -y --auto-remove $build
apt-get clean
apt-cache gencaches

systemctl disable ssh.service ssh.socket
mkdir -p /etc/systemd/system/ssh.service.d
printf '[Service]\nExecStartPre=\nExecStartPre=/usr/bin/ssh-keygen -A\n' \
    >/etc/systemd/system/ssh.service.d/keys.conf
# Devices, consoles and mounts belong to the machine; the timers would take dpkg's lock from a test.
systemctl mask apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer \
    fstrim.timer getty@.service console-getty.service getty.target systemd-logind.service \
    systemd-logind-varlink.socket \
    systemd-udevd.service systemd-udev-trigger.service systemd-modules-load.service \
    systemd-sysctl.service systemd-remount-fs.service systemd-random-seed.service \
    dev-hugepages.mount dev-mqueue.mount sys-kernel-config.mount sys-kernel-debug.mount \
    sys-kernel-tracing.mount sys-fs-fuse-connections.mount

# What makes a host an individual is made at its first start. An empty machine-id, not a missing
# one: systemd would take that for a first boot and enable every unit again.
: >/etc/machine-id
rm -rf /usr/sbin/policy-rc.d /var/lib/dbus/machine-id /etc/ssh/ssh_host_* /etc/salt /root/.cache \
    /var/log/journal/* /tmp/* /var/tmp/*
