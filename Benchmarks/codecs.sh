# The HTTP/1.1 parser and the transcoder by themselves, beside NIO's parser and SwiftProtobuf in the same run. Sourced by
# run.sh.
#
# OPERATIONS=100000 (how often each is done in a round).

build_counter
heading "HTTP/1.1 requests and messages by themselves: processor time and allocations for each, medians of 5 rounds"
LD_PRELOAD="$counter" "$bin/codec-benchmark" "${OPERATIONS:-100000}"
echo "references: NIOHTTP1 in an EmbeddedChannel; SwiftProtobuf, which makes a message in between"
