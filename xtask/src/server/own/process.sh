# What servers have in common that are one process: sh DIR BIN PORT… starts one in DIR with the program in BIN, tells its
# port, and stops it and removes all when its input ends. The folder is the last to go, whatever happens before.
dir=$1 bin=$2
shift 2
cd "$dir" || exit 1
trap 'rm -rf "$dir"' EXIT
# If nobody is there to hear that it is up, its input has ended, too.
trap '' PIPE

# up SIGN WORD…: starts the words, and waits until their log shows the sign; fails if they end before, or after a minute.
up() {
  sign=$1
  shift
  : >"$dir/log" # The process may be slower than the first look.
  "$@" </dev/null >"$dir/log" 2>&1 &
  server=$!
  tries=600
  until grep -q "$sign" "$dir/log"; do
    tries=$((tries - 1))
    if [ "$tries" -eq 0 ] || ! kill -0 "$server" 2>/dev/null; then
      down "$server"
      return 1
    fi
    sleep 0.1
  done
}

# down PID: ends the process, by force if it takes longer than 15 s.
down() {
  kill -TERM "$1" 2>/dev/null
  tries=150
  while [ "$tries" -gt 0 ] && kill -0 "$1" 2>/dev/null; do
    tries=$((tries - 1))
    sleep 0.1
  done
  kill -KILL "$1" 2>/dev/null
  wait "$1" 2>/dev/null
}

# serve PORT: tells the port, and returns when the input ends.
serve() {
  echo "$1" 2>/dev/null
  cat >/dev/null
}

