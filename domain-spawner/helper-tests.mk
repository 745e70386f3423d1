# The walls between domains: needs namespaces, and runs as whoever builds.
check_PROGRAMS += tests/integration/helper-driver tests/integration/escape
tests_integration_helper_driver_SOURCES = tests/integration/helper-driver.c
tests_integration_helper_driver_LDADD = domain-spawner/libhelperproto.la
tests_integration_escape_SOURCES = tests/integration/escape.c tests/integration/escape.h \
	tests/integration/escape-channels.c tests/integration/escape-files.c \
	tests/integration/escape-processes.c
tests_integration_escape_LDADD = libqrexec/libbase.la
dist_check_SCRIPTS += tests/integration/isolation.sh tests/integration/domain-life.sh
EXTRA_DIST += tests/integration/domains.sh
TESTS += tests/integration/isolation.sh tests/integration/domain-life.sh

HELPER_TESTS =
HELPER_TESTS += tests/unit/domain-spawner/guest-daemon-test
tests_unit_domain_spawner_guest_daemon_test_SOURCES = tests/unit/domain-spawner/guest-daemon-test.c tests/unit/test.h
tests_unit_domain_spawner_guest_daemon_test_LDADD = domain-spawner/libhelper.la $(CMOCKA_LIBS)
HELPER_TESTS += tests/unit/domain-spawner/helper-protocol-test
tests_unit_domain_spawner_helper_protocol_test_SOURCES = tests/unit/domain-spawner/helper-protocol-test.c tests/unit/test.h
tests_unit_domain_spawner_helper_protocol_test_LDADD = domain-spawner/libhelper.la $(CMOCKA_LIBS)
HELPER_TESTS += tests/unit/domain-spawner/helper-test
tests_unit_domain_spawner_helper_test_SOURCES = tests/unit/domain-spawner/helper-test.c tests/unit/test.h
tests_unit_domain_spawner_helper_test_LDADD = domain-spawner/libhelper.la $(CMOCKA_LIBS)
HELPER_TESTS += tests/unit/domain-spawner/local-sandbox-test
tests_unit_domain_spawner_local_sandbox_test_SOURCES = tests/unit/domain-spawner/local-sandbox-test.c tests/unit/test.h
tests_unit_domain_spawner_local_sandbox_test_LDADD = domain-spawner/libhelper.la $(CMOCKA_LIBS)
HELPER_TESTS += tests/unit/domain-spawner/local-vchan-test
tests_unit_domain_spawner_local_vchan_test_SOURCES = tests/unit/domain-spawner/local-vchan-test.c tests/unit/test.h
tests_unit_domain_spawner_local_vchan_test_LDADD = domain-spawner/libhelper.la $(CMOCKA_LIBS)
XEN_LOG_TEST = tests/unit/domain-spawner/xen-log-test.c tests/unit/test.h
if HAVE_XEN
HELPER_TESTS += tests/unit/domain-spawner/xen-log-test
tests_unit_domain_spawner_xen_log_test_SOURCES = $(XEN_LOG_TEST)
tests_unit_domain_spawner_xen_log_test_LDADD = domain-spawner/libhelper.la $(CMOCKA_LIBS)
else
EXTRA_DIST += $(XEN_LOG_TEST)
endif
check_PROGRAMS += $(HELPER_TESTS)
TESTS += $(HELPER_TESTS)
