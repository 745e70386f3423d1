# The tools around a policy: test, coverage, graph, convert, lint.
%C%_lib_libpolicy_la_SOURCES += %D%/lib/lint-ask.c %D%/lib/lint-services.c
%C%_qrexec_policy_SOURCES += \
	%D%/cli-load.c %D%/cmd-convert.c %D%/cmd-coverage.c %D%/cmd-graph.c %D%/cmd-lint-syntax.c %D%/cmd-test.c \
	%D%/convert.c %D%/convert.h %D%/convert-files.c %D%/convert-files.h %D%/convert-frame.c %D%/convert-frame.h \
	%D%/convert-lines.c %D%/convert-lines.h \
	%D%/coverage.c %D%/coverage.h %D%/verdict-compare.c %D%/verdict-compare.h \
	%D%/expectations.c %D%/expectations.h %D%/sweep.c %D%/sweep.h

POLICY_TOOL_TESTS = tests/unit/policy-engine/convert-files-test tests/unit/policy-engine/convert-lines-test \
	tests/unit/policy-engine/verdict-compare-test
check_PROGRAMS += $(POLICY_TOOL_TESTS)
TESTS += $(POLICY_TOOL_TESTS)
tests_unit_policy_engine_verdict_compare_test_SOURCES = tests/unit/policy-engine/verdict-compare-test.c \
	%D%/sweep.c %D%/sweep.h %D%/verdict-compare.c %D%/verdict-compare.h
tests_unit_policy_engine_verdict_compare_test_LDADD = $(POLICY_TESTS_LDADD)
tests_unit_policy_engine_convert_files_test_SOURCES = tests/unit/policy-engine/convert-files-test.c \
	%D%/convert-files.c %D%/convert-files.h %D%/convert.h
tests_unit_policy_engine_convert_files_test_LDADD = $(POLICY_TESTS_LDADD)
tests_unit_policy_engine_convert_lines_test_SOURCES = tests/unit/policy-engine/convert-lines-test.c \
	%D%/convert-lines.c %D%/convert-lines.h
tests_unit_policy_engine_convert_lines_test_LDADD = $(POLICY_TESTS_LDADD)
POLICY_SHELL_TESTS = tests/unit/policy-engine/policy-tools-test tests/unit/policy-engine/manual-test \
	tests/unit/policy-engine/programs-test \
	tests/conformance/convert tests/integration/policy-day.sh
dist_check_SCRIPTS += $(POLICY_SHELL_TESTS)
TESTS += $(POLICY_SHELL_TESTS)

# the names by which scripts of the field know some commands
POLICY_LINKS = qrexec-policy-graph qrexec-legacy-convert qubes-policy-lint
install-policy-links:
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	cd '$(DESTDIR)$(bindir)' && for l in $(POLICY_LINKS); do ln -sf qrexec-policy $$l || exit 1; done
uninstall-policy-links:
	cd '$(DESTDIR)$(bindir)' && rm -f $(POLICY_LINKS)
.PHONY: install-policy-links uninstall-policy-links
INSTALL_HOOKS += install-policy-links
UNINSTALL_HOOKS += uninstall-policy-links
