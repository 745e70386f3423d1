# tests mirror the tree; each room's local.mk names its own unit tests
dist_check_SCRIPTS += %D%/layers
TESTS += %D%/layers
AM_TESTS_ENVIRONMENT = srcdir='$(abs_top_srcdir)'; builddir='$(abs_top_builddir)'; export srcdir builddir; \
	LSAN_OPTIONS='suppressions=$(abs_top_srcdir)/tests/leaks-of-others:print_suppressions=0'; export LSAN_OPTIONS;
EXTRA_DIST += %D%/summary %D%/leaks-of-others
include tests/xen/local.mk
include tests/bench/local.mk
include tests/random/local.mk
include tests/stage/local.mk
include tests/unit/failing/local.mk
include tests/fuzz/local.mk

BASE_TESTS = tests/unit/base/buf-test tests/unit/base/call-id-test tests/unit/base/group-test \
	tests/unit/base/ini-test tests/unit/base/io-test tests/unit/base/spawn-test tests/unit/base/util-test
check_PROGRAMS += $(BASE_TESTS)
TESTS += $(BASE_TESTS)
tests_unit_base_buf_test_SOURCES = tests/unit/base/buf-test.c tests/unit/test.h
tests_unit_base_buf_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_base_call_id_test_SOURCES = tests/unit/base/call-id-test.c tests/unit/test.h
tests_unit_base_call_id_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_base_group_test_SOURCES = tests/unit/base/group-test.c tests/unit/test.h
tests_unit_base_group_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_base_ini_test_SOURCES = tests/unit/base/ini-test.c tests/unit/test.h
tests_unit_base_ini_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_base_io_test_SOURCES = tests/unit/base/io-test.c tests/unit/test.h
tests_unit_base_io_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_base_spawn_test_SOURCES = tests/unit/base/spawn-test.c tests/unit/test.h
tests_unit_base_spawn_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_base_util_test_SOURCES = tests/unit/base/util-test.c tests/unit/test.h
tests_unit_base_util_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
EXTRA_DIST += tests/demo/demo tests/demo/try tests/demo/instance.sh tests/demo/applications.sh

TESTS += tests/conformance/run
EXTRA_DIST += tests/conformance/run tests/conformance/policy

dist_check_SCRIPTS += tests/integration/lease.sh
TESTS += tests/integration/lease.sh
dist_check_SCRIPTS += tests/integration/demo.sh
TESTS += tests/integration/demo.sh
dist_check_SCRIPTS += tests/integration/calls.sh
TESTS += tests/integration/calls.sh
dist_check_SCRIPTS += tests/integration/rpc-copy.sh
TESTS += tests/integration/rpc-copy.sh
dist_check_SCRIPTS += tests/integration/rpc-open.sh
TESTS += tests/integration/rpc-open.sh
dist_check_SCRIPTS += tests/integration/slow-start.sh
TESTS += tests/integration/slow-start.sh

check_PROGRAMS += tests/talk/policy-daemon-test
TESTS += tests/talk/policy-daemon-test
tests_talk_policy_daemon_test_SOURCES = tests/talk/policy-daemon-test.c tests/unit/test.h
tests_talk_policy_daemon_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)

# every unit test under valgrind: no error, nothing definitely lost
check-valgrind: $(check_PROGRAMS)
	@for t in $(filter tests/unit/%,$(check_PROGRAMS)); do \
		srcdir='$(abs_top_srcdir)' builddir='$(abs_top_builddir)' $(LIBTOOL) --mode=execute \
			valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite ./$$t >$$t.valgrind 2>&1 && \
			echo "ok - $$t" || { echo "not ok - $$t"; cat $$t.valgrind; exit 1; }; \
	done
.PHONY: check-valgrind
CLEANFILES += $(check_PROGRAMS:=.valgrind)
include tests/bench/policy.mk
include tests/bench/calls.mk
include tests/coverage.mk
include tests/load/local.mk
