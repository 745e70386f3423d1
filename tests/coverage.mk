# Which lines the tests run: "make coverage" for the calls, "make coverage-policy" for the policy engine. A build of
# its own (coverage/), the tests of those folders, then a line for each file with the lines that no test ran, and one
# for each folder. COVERAGE_TESTS="…" runs others.
CALLS_COVERAGE = libqrexec qrexec-daemon qrexec-agent
CALLS_COVERAGE_TESTS = $(filter tests/unit/base/% tests/unit/wire/% tests/unit/vchan/% tests/unit/relay/% tests/unit/service/% \
	tests/unit/qrexec-% tests/unit/failing/% tests/talk/agent% tests/talk/daemon% tests/talk/client% tests/talk/calls% \
	tests/fuzz/daemon tests/fuzz/agent tests/fuzz/relay tests/fuzz/settings tests/fuzz/command-line tests/integration/demo.sh tests/integration/calls.sh,$(TESTS))
POLICY_COVERAGE = policy-engine
POLICY_COVERAGE_TESTS = $(filter tests/unit/policy-engine/% tests/talk/policy% tests/talk/prompt% tests/integration/policy% \
	tests/conformance/% $(FUZZ_POLICY),$(TESTS))

coverage:
	$(MAKE) coverage-run COVERAGE_TESTS='$(or $(COVERAGE_TESTS),$(CALLS_COVERAGE_TESTS))' COVERAGE_FOLDERS='$(CALLS_COVERAGE)'
coverage-policy:
	$(MAKE) coverage-run COVERAGE_TESTS='$(or $(COVERAGE_TESTS),$(POLICY_COVERAGE_TESTS))' COVERAGE_FOLDERS='$(POLICY_COVERAGE)'
coverage-run:
	@test coverage/Makefile -nt $(srcdir)/Makefile.in || rm -rf coverage # objects of other names would count, too
	@$(MKDIR_P) coverage
	@test -f coverage/Makefile || { cd coverage && $(abs_top_srcdir)/configure -q CFLAGS='-g -O0' --enable-coverage --disable-werror --disable-static-client --disable-static-policy-exec \
		--prefix='$(prefix)' --sysconfdir='$(sysconfdir)' --localstatedir='$(localstatedir)' >/dev/null; }
	@$(MAKE) -s -C coverage all
	@find coverage -name '*.gcda' -delete
	@$(MAKE) -s -C coverage check TESTS='$(COVERAGE_TESTS)' >coverage/check.log 2>&1 || grep -E '^(FAIL|ERROR)' coverage/check.log
	@$(SHELL) $(srcdir)/tests/coverage '$(top_srcdir)' coverage $(COVERAGE_FOLDERS)
.PHONY: coverage coverage-policy coverage-run
EXTRA_DIST += tests/coverage tests/coverage.h
clean-local: clean-coverage
clean-coverage:
	rm -rf coverage
.PHONY: clean-coverage
