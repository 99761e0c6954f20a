# The lab's Asterisk processes: start, find, wait for, stop. Needs settings.bash.
#
# Every Asterisk has a mount namespace of its own (unshare --mount). What it needs inside the Debian root is
# mounted there and nowhere else, so the kernel takes it all away with the process, however that ends.
# shellcheck shell=bash

pid_file() { echo "$LAB_RUN/$1/pid"; }

# The arguments by which a lab's Asterisk is known, in any checkout.
asterisk_command() { echo "asterisk -f -C /etc/asterisk-lab/$1/asterisk.conf"; }

# The pid of this lab's server $1, if it is alive. A pid that now is another program's does not count.
live_pid() {
  local pid
  pid=$(cat "$(pid_file "$1")" 2>/dev/null) || return 1
  [[ -n $pid && -r /proc/$pid/cmdline ]] || return 1
  [[ $(tr '\0' ' ' <"/proc/$pid/cmdline") == *"$(asterisk_command "$1") "* ]] || return 1
  echo "$pid"
}

# Runs as the new namespace's first program and becomes Asterisk. Arguments: server, root, run folder, conf.
enter_root() {
  local server=$1 root=$2 run=$3 conf=$4
  mount --bind "$root" "$root"
  mount -t proc proc "$root/proc"
  mount --bind /dev "$root/dev"
  mount -t tmpfs tmpfs "$root/dev/shm"
  mount --bind "$conf" "$root/etc/asterisk-lab"
  mount --bind "$run" "$root/var/lab"
  mount --bind "$run/hosts" "$root/etc/hosts"
  # shellcheck disable=SC2046
  exec chroot --userspec=asterisk:asterisk "$root" /usr/sbin/$(asterisk_command "$server")
}

# Runs server $1 in the background and notes its pid: unshare, bash and chroot all exec, so it stays the same.
start_server() {
  local server=$1 owner folder
  owner=$(awk -F: '$1 == "asterisk" { print $3 ":" $4 }' "$LAB_ROOT/etc/passwd")
  for folder in "$server" "$server"/{log,spool,cache} recordings; do
    install -d -o "${owner%:*}" -g "${owner#*:}" "$LAB_RUN/$folder"
  done
  printf '127.0.0.1 localhost %s\n' "$(hostname)" >"$LAB_RUN/hosts"
  ulimit -n 65536 2>/dev/null || ulimit -n "$(ulimit -H -n)"
  DIALER_LAB_RUN=$LAB_RUN setsid unshare --mount bash -euc "$(declare -f asterisk_command enter_root)
    enter_root \"\$@\"" enter_root "$server" "$LAB_ROOT" "$LAB_RUN" "$LAB_CONF" \
    </dev/null >"$LAB_RUN/$server/log/console.log" 2>&1 9>&- &
  echo $! >"$(pid_file "$server")"
}

# Logs in to server $1's AMI and waits for the event that says that all modules are loaded. At most 2 s.
is_fully_booted() {
  local server=$1
  (
    exec 3<>"/dev/tcp/127.0.0.1/${LAB_AMI_PORT[$server]}" || exit 1
    printf 'Action: Login\r\nUsername: %s\r\nSecret: %s\r\n\r\n' "${LAB_AMI_USER[$server]}" "$LAB_SECRET" >&3
    while IFS= read -r -t 2 line <&3; do
      [[ $line == "Event: FullyBooted"* ]] && exit 0
      [[ $line == "Response: Error"* ]] && exit 1
    done
    exit 1
  ) 2>/dev/null
}

is_healthy() { live_pid "$1" >/dev/null && is_fully_booted "$1"; }

# Waits until server $1, just started from here, is fully booted; where it ends or hangs, says why and fails.
await_server() {
  local server=$1 deadline=$((SECONDS + 60))
  until is_fully_booted "$server"; do
    if ! kill -0 "$(cat "$(pid_file "$server")")" 2>/dev/null; then
      tail -n 20 "$LAB_RUN/$server/log/console.log" "$LAB_RUN/$server/log/messages.log" >&2 || true
      die "$server ended while it started; its last words are above."
    fi
    ((SECONDS < deadline)) || die "$server is not fully booted after 60 s; see $LAB_RUN/$server/log."
    sleep 0.1
  done
}

# Ends server $1 (Asterisk takes SIGTERM as `core stop now`), after 10 s by force.
stop_server() {
  local pid deadline=$((SECONDS + 10))
  if pid=$(live_pid "$1"); then
    kill -TERM "$pid"
    while live_pid "$1" >/dev/null; do
      if ((SECONDS >= deadline)); then kill -KILL "$pid" 2>/dev/null || true; fi
      sleep 0.05
    done
  fi
  rm -f "$(pid_file "$1")"
}

# The run folder of the lab that this machine runs, if it is not this one: from its processes' environment.
other_lab() {
  local file run
  for file in /proc/[0-9]*/cmdline; do
    [[ $(tr '\0' ' ' 2>/dev/null <"$file") == *"asterisk -f -C /etc/asterisk-lab/"* ]] || continue
    run=$(tr '\0' '\n' 2>/dev/null <"${file%cmdline}environ" | sed -n 's/^DIALER_LAB_RUN=//p')
    if [[ -n $run && $run != "$LAB_RUN" ]]; then
      echo "$run"
      return 0
    fi
  done
  return 1
}

is_port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
