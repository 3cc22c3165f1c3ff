#!/bin/sh
# The first half of a backup: PostgreSQL, into a folder that is no backup yet. mongo.sh does the second half.
set -eu
folder=${FOLDER:-/backup}

rm -rf "$folder/new"
mkdir "$folder/new"
pg_dump --host=postgres --username=shippy --dbname=shippy --format=custom --file="$folder/new/shippy.pgdump"
echo "dumped PostgreSQL"
