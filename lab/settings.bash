# What the lab's scripts share: where things are, and how they speak.
# shellcheck shell=bash disable=SC2034

LAB_PROJECT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
LAB_CONF=$LAB_PROJECT/asterisk-conf
LAB_RUN=${DIALER_LAB_DIR:-$LAB_PROJECT/.lab}
LAB_CACHE=${AMI_DIALER_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/ami-dialer}
LAB_ROOT=$LAB_CACHE/debian-root

# The servers, and of each its AMI port, AMI user and SIP port. The carrier comes first: the PBXs dial it.
LAB_SERVERS=(carrier pbx1 pbx2)
declare -A LAB_AMI_PORT=([carrier]=15040 [pbx1]=15038 [pbx2]=15039)
declare -A LAB_AMI_USER=([carrier]=observer [pbx1]=dialer [pbx2]=dialer)
declare -A LAB_SIP_PORT=([carrier]=15062 [pbx1]=15060 [pbx2]=15061)
LAB_SECRET=dialer-lab # on loopback only, and written in asterisk-conf

say() { printf 'lab: %s\n' "$*"; }

die() {
  printf 'lab: %s\n' "$*" >&2
  exit 1
}
