# qrexec-daemon holds no code that runs programs for a VM: no relay, no service
noinst_LTLIBRARIES += %D%/libdaemon.la
%C%_libdaemon_la_SOURCES = \
	%D%/call.c %D%/call.h %D%/loop.h %D%/pending.c %D%/pending.h %D%/ports.c %D%/ports.h
%C%_libdaemon_la_LIBADD = libqrexec/libwire.la libqrexec/libbase.la

check_PROGRAMS += tests/unit/qrexec-daemon/call-test
TESTS += tests/unit/qrexec-daemon/call-test
tests_unit_qrexec_daemon_call_test_SOURCES = tests/unit/qrexec-daemon/call-test.c tests/unit/test.h
tests_unit_qrexec_daemon_call_test_LDADD = %D%/libdaemon.la $(CMOCKA_LIBS)
