# The commands of the house. `make help` lists them; README.md tells the story.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
# How many test processes run side by side, each with servers of its own; what measures time or
# fills the machine runs alone.
JOBS   ?= 3
ARGS   ?=
# With ARGS one of the two runs may choose no test (pytest's exit 5); without, that is a failure.
NONE_IS_FINE = || test $$? -eq 5 -a -n '$(ARGS)'

.PHONY: help setup run test check torture-telephony torture-queueing bench fuzz lock lock-contract clean

help: ## 列出所有命令 · list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(VENV)/.installed ## 安装产品到 .venv · install the product into .venv

run: $(VENV)/.installed ## 启动演示，Ctrl+C 结束 · start the demo, Ctrl+C ends it
	@$(BIN)/hotline demo

# Every real part must be there; `make test HOTLINE_TEST_REQUIRE=` passes over what is not.
test: export HOTLINE_TEST_REQUIRE = all
test: $(VENV)/.tests-installed ## 安装测试所需并全部运行 · install what the tests need and run them all
	@deploy/check/packages
	deploy/check/twice $(BIN)/pytest -n $(JOBS) -m 'not alone' $(ARGS) $(NONE_IS_FINE)
	deploy/check/twice $(BIN)/pytest -m alone $(ARGS) $(NONE_IS_FINE)

check: $(VENV)/.tests-installed ## 格式、规则、类型、架构 · format, lint, types, architecture
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest -q tests/architecture -p no:cacheprovider

torture-telephony: $(VENV)/.tests-installed ## 真实交换机千通电话，反复断电 · 1 000 real calls while all dies
	$(BIN)/python -m tests.torture.telephony $(ARGS)

torture-queueing: $(VENV)/.tests-installed ## 消息服务反复断电、冻结、告警 · work orders while the broker dies
	$(BIN)/python -m tests.torture.queueing $(ARGS)

lock: $(VENV)/.tests-installed ## 重新生成锁文件 · make the lock files anew
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --upgrade --extra postgresql --extra s3 pyproject.toml -o requirements.lock
	$(BIN)/uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	  --upgrade --extra postgresql --extra s3 --group test --group check pyproject.toml -o requirements-dev.lock

lock-contract: $(VENV)/.tests-installed ## 锁定消息契约，只增不改 · publish the messages' schemas, additions only
	@$(BIN)/python -m tests.rig.additive

bench: $(VENV)/.tests-installed ## 测速，对照同一次运行中的基线 · how fast, against what is measured beside it
	@$(BIN)/python -m tests.bench $(ARGS); held=$$?; $(BIN)/python -m tests.bench.live && exit $$held

fuzz: $(VENV)/.tests-installed ## 一千万个输入试探解析 · ten million inputs against the parser
	$(BIN)/python -m tests.fuzz values 6000000 .fuzz/values
	$(BIN)/python -m tests.fuzz stream 4000000 .fuzz/stream

clean: ## 删除 .venv 与缓存 · remove .venv and the caches
	rm -rf $(VENV) .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build *.egg-info

$(VENV)/.made:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "需要 Python 3.11 以上 · Python 3.11 or later is needed")'
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.made requirements.lock pyproject.toml
	$(BIN)/pip install --quiet --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --no-deps -e .
	@touch $@

$(VENV)/.tests-installed: $(VENV)/.installed requirements-dev.lock
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@
