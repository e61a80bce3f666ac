# sh DIR BIN PORT…: makes a cluster in DIR with the programs in BIN, starts it on the first port that is free, tells which, and
# removes all when its input ends. The folder is the last to go, whatever happens before.
# `fsync` stays on: a test may kill the server.
dir=$1 bin=$2
shift 2
cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
# If nobody is there to hear that it is up, its input has ended, too.
trap '' PIPE
"$bin/initdb" --pgdata="$dir/data" --username=dvt --auth=trust --locale=C --encoding=UTF8 >"$dir/log" 2>&1 || {
  cat "$dir/log" >&2
  exit 1
}
for port; do
  cat >"$dir/data/postgresql.auto.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
CONF
  if "$bin/pg_ctl" --pgdata="$dir/data" --log="$dir/log" --wait --timeout=60 start >/dev/null 2>&1; then
    echo "$port" 2>/dev/null
    cat >/dev/null
    "$bin/pg_ctl" --pgdata="$dir/data" --mode=fast --wait stop >/dev/null 2>&1 ||
      "$bin/pg_ctl" --pgdata="$dir/data" --mode=immediate --wait stop >/dev/null
    exit
  fi
done
cat "$dir/log" >&2
exit 1
