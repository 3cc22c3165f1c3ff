# What people and CI run. Each target is a small script in Scripts/; it gets NAME=value from make's command line as
# environment variables, and is make's own child, so that it notices when make is gone.
.DEFAULT_GOAL := help
.PHONY: help run test test-sanitize fuzz check-bookings lint format readme bench proto clean images push sbom symbols deploy undo undeploy backup restore rehearse manifests try-containers try-rollout try-cluster

help: ## Shows this list
	@echo "Shippy: make TARGET"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  \1|\2/p' Makefile | while IFS='|' read -r name text; do \
		printf '%-16s %s\n' "$$name" "$$text"; done

run: ## Installs what is missing, builds, starts all services here (PORT=8080 ADMIN_PORT=9050)
	@Scripts/run.sh

test: ## Runs all tests against real servers of their own (FILTER=RPCTests for a part)
	@Scripts/test.sh

test-sanitize: ## Runs the RPC and storage tests under the thread and the address sanitizer
	@Scripts/sanitize.sh

fuzz: ## Sends hostile input to every program (MINUTES=1 each; PARTS="rpc http1"; SEED=… makes a run again)
	@Scripts/fuzz.sh

check-bookings: ## Kills programs and databases under callers, and checks that what they were told holds (MINUTES=3)
	@Scripts/check_bookings.sh

lint: ## Checks format, warnings, generated code and scripts
	@Scripts/lint.sh

format: ## Formats the Swift sources in place
	@swift format --in-place --recursive Sources Tests Benchmarks Package.swift

readme: ## Writes README's tables of settings from the programs' own
	@WRITE_README=1 FILTER=SettingsTableTests Scripts/test.sh

bench: ## Measures: calls per second, processor time and allocations per call, latency, memory, sizes (PARTS=counts for a part)
	@Scripts/install.sh bench
	@Scripts/release.sh
	@Benchmarks/run.sh

proto: ## Generates messages, methods and descriptors from the .proto files
	@Scripts/install.sh test
	@Scripts/proto.sh

images: ## Builds the images and prints their sizes (REGISTRY=shippy TAG=… PLATFORMS=linux/amd64,linux/arm64)
	@Scripts/images.sh build

push: ## Pushes them to REGISTRY; their names by digest go to .build/images/digests
	@Scripts/images.sh push

sbom: ## Lists what is in the images, in CycloneDX's form, in .build/images/sbom
	@Scripts/images.sh sbom

symbols: ## Copies what turns the images' backtraces into functions and lines to .build/symbols
	@Scripts/images.sh symbols

manifests: ## Renders and checks every overlay of deployments/, the alerts, the dashboard and the scripts for clusters
	@Scripts/manifests.sh

deploy: ## Applies an overlay, waits for the rollout, says what it waits for (OVERLAY=local TAG=… REGISTRY=…)
	@Scripts/deploy.sh

undo: ## Takes the last deploy of an overlay back, all that it changed (OVERLAY=local)
	@Scripts/undo.sh

backup: ## Takes a backup of the databases in the cluster to a folder here (FOLDER=…; FETCH=1 takes the newest nightly one)
	@Scripts/backup.sh

restore: ## Stops the programs in the cluster, restores a backup, starts them again (FOLDER=…)
	@Scripts/restore.sh

rehearse: ## Restores the newest nightly backup into servers of its own and counts
	@Scripts/rehearse.sh

undeploy: ## Takes everything away but the disks, and asks first (OVERLAY=canary: only the canary)
	@Scripts/undeploy.sh

try-containers: ## Builds the images with podman, runs docker-compose.yml and the README's tour, removes it all (as root)
	@Scripts/try_containers.sh

try-rollout: ## Counts the calls that a scale-up, a kill and a rolling update cost, with containers (as root)
	@Scripts/try_rollout.sh

try-cluster: ## Deploys to the cluster that kubectl reaches and counts the calls that rollouts, kills, drains cost (DNS_CACHE="0 30")
	@Scripts/try_cluster.sh

clean: ## Removes what was built; the data in .run/ stays
	@rm -rf .build
