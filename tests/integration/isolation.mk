# The walls between domains: needs namespaces, and runs as whoever builds.
check_PROGRAMS += tests/integration/helper-driver tests/integration/escape
tests_integration_helper_driver_SOURCES = tests/integration/helper-driver.c
tests_integration_helper_driver_LDADD = domain-spawner/libhelperproto.la
tests_integration_escape_SOURCES = tests/integration/escape.c tests/integration/escape.h \
	tests/integration/escape-channels.c tests/integration/escape-files.c \
	tests/integration/escape-processes.c
tests_integration_escape_LDADD = libqrexec/libbase.la
dist_check_SCRIPTS += tests/integration/isolation.sh
TESTS += tests/integration/isolation.sh
