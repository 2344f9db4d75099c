#!/bin/sh
# Puts the packages of one service below /app and links them into the environment.
set -eu
case "$1" in
    embedded) members="libs/contracts libs/chassis libs/embedded services/gateway services/workflow services/generation services/render services/billing services/notifier" ;;
    *) members="libs/contracts libs/chassis services/$1" ;;
esac
for member in $members; do
    mkdir -p "/app/$(dirname "$member")"
    cp -R "/source/$member" "/app/$member"
    uv pip install -q --no-deps --no-sources -e "/app/$member"
done
