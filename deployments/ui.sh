#!/bin/sh
# Starts the page's nginx, with what differs between clusters filled in. Names are looked up once, here and by nginx; where
# the gateway has none yet, nginx ends, and is started again.
set -eu

gateway=api
# What the series calls its gateway.
if ! getent hosts api >/dev/null && getent hosts micro >/dev/null; then gateway=micro; fi

listen='listen 8080;'
# Port 80 as well, where the series has it, if every user may open it.
if [ "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" -le 80 ]; then listen="$listen listen 80;"; fi

sed "s/listen 8080;/$listen/; s/server api:80;/server $gateway:80;/" /etc/nginx/nginx.conf >/tmp/nginx.conf
exec nginx -e stderr -c /tmp/nginx.conf
