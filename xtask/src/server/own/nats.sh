for port; do
  if up 'Server is ready' \
    "$bin/nats-server" --addr 127.0.0.1 --port "$port" --jetstream --store_dir "$dir/data"; then
    serve "$port"
    down "$server"
    exit
  fi
done
cat "$dir/log" >&2
exit 1
