# A node needs three ports: for AMQP, for other nodes, and for epmd, which knows the nodes of a machine. It gets an epmd of its
# own, which ends with it: the machine's would outlive it, or belong to somebody else.
export HOME="$dir"
export RABBITMQ_NODENAME=dvt@localhost RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 ERL_EPMD_ADDRESS=127.0.0.1
export RABBITMQ_MNESIA_BASE="$dir/data" RABBITMQ_LOG_BASE="$dir/logs" RABBITMQ_LOGS=- RABBITMQ_PID_FILE="$dir/pid"
# None of these files is there: what the machine's own server is told is not for this one.
export RABBITMQ_CONF_ENV_FILE="$dir/none" RABBITMQ_CONFIG_FILE="$dir/none" RABBITMQ_ADVANCED_CONFIG_FILE="$dir/none.config"
export RABBITMQ_ENABLED_PLUGINS_FILE="$dir/none.plugins" RABBITMQ_GENERATED_CONFIG_DIR="$dir/config"
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
# So the script becomes the server instead of waiting for it: our signals reach it.
export RUNNING_UNDER_SYSTEMD=true

while [ "$#" -ge 3 ]; do
  export RABBITMQ_NODE_PORT="$1" RABBITMQ_DIST_PORT="$2" ERL_EPMD_PORT="$3"
  shift 3
  epmd -port "$ERL_EPMD_PORT" -address 127.0.0.1 </dev/null >"$dir/epmd.log" 2>&1 &
  epmd=$!
  if up 'completed with\|startup complete' "$bin/rabbitmq-server"; then
    serve "$RABBITMQ_NODE_PORT"
    down "$server"
    down "$epmd"
    exit
  fi
  down "$epmd"
done
cat "$dir/epmd.log" "$dir/log" >&2
exit 1
