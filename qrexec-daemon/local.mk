# qrexec-daemon holds no code that runs services: neither relay nor service
noinst_LTLIBRARIES += %D%/libdaemon.la
%C%_libdaemon_la_SOURCES = \
	%D%/call.c %D%/call.h %D%/carried.c %D%/carried.h %D%/calls.c %D%/calls-carry.c %D%/calls-decide.c %D%/clients.c \
	%D%/control.c %D%/daemon.h %D%/deaths.c \
	%D%/log-limit.c %D%/log-limit.h %D%/maker.c %D%/maker.h %D%/pending.c %D%/pending.h %D%/ports.c %D%/ports-file.c \
	%D%/ports.h %D%/program.c %D%/program.h %D%/running-call.h \
	%D%/see.c %D%/see-counts.c %D%/see-end.c %D%/see-lines.c %D%/see.h %D%/stream.c %D%/stream.h
%C%_libdaemon_la_LIBADD = libqrexec/libvchan.la libqrexec/libwire.la libqrexec/libbase.la
sbin_PROGRAMS += %D%/qrexec-daemon
%C%_qrexec_daemon_SOURCES = %D%/daemon-main.c
%C%_qrexec_daemon_LDADD = %D%/libdaemon.la libqrexec/libloop.la

# qrexec-calls asks the daemons
noinst_LTLIBRARIES += %D%/libcalls.la
%C%_libcalls_la_SOURCES = %D%/calls-ask.c %D%/calls-ask.h %D%/calls-table.c %D%/calls-table.h
%C%_libcalls_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libcalls_la_LIBADD = libqrexec/libbase.la $(JANSSON_LIBS)
bin_PROGRAMS += %D%/qrexec-calls
%C%_qrexec_calls_SOURCES = %D%/qrexec-calls.c
%C%_qrexec_calls_LDADD = %D%/libcalls.la

# qrexec-client is a program of its own, and runs dom0's services
CLIENT_PARTS = %D%/client-call.c %D%/client-call.h %D%/client-daemon.c %D%/client-daemon.h %D%/client-options.c \
	%D%/client-options.h
CLIENT_FILES = %D%/client.c %D%/client-pump.c %D%/client-pump.h $(CLIENT_PARTS)
CLIENT_NEEDS = libqrexec/libservice.la libqrexec/librelay.la libqrexec/libvchan.la libqrexec/libwire.la \
	libqrexec/libbase.la
CLIENT_SMALL_FILES = %D%/client-small.c $(CLIENT_PARTS)
if HAVE_MUSL
qubeslib_SCRIPTS += %D%/qrexec-client
CLEANFILES += %D%/qrexec-client
%D%/qrexec-client: $(CLIENT_SMALL_FILES) $(SMALL_FILES) $(SMALL_NEEDS)
	$(AM_V_CCLD)$(SMALL_BUILD) -o $@ \
		`for f in $(CLIENT_SMALL_FILES) $(SMALL_FILES); do case $$f in *.c) echo $(srcdir)/$$f;; esac; done` $(MUSL_LINK)
qubeslib_PROGRAMS += %D%/qrexec-client-full
%C%_qrexec_client_full_SOURCES = $(CLIENT_FILES)
%C%_qrexec_client_full_LDADD = $(CLIENT_NEEDS)
%C%_qrexec_client_full_LDFLAGS = $(CLIENT_LDFLAGS)
else
qubeslib_PROGRAMS += %D%/qrexec-client
%C%_qrexec_client_SOURCES = $(CLIENT_FILES)
%C%_qrexec_client_LDADD = $(CLIENT_NEEDS)
%C%_qrexec_client_LDFLAGS = $(CLIENT_LDFLAGS)
endif
EXTRA_DIST += %D%/client-small.c

INSTALL_HOOKS += install-qrexec-client-link
UNINSTALL_HOOKS += uninstall-qrexec-client-link
install-qrexec-client-link:
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	ln -sfr '$(DESTDIR)$(qubeslibdir)/qrexec-client' '$(DESTDIR)$(bindir)/qrexec-client'
uninstall-qrexec-client-link:
	rm -f '$(DESTDIR)$(bindir)/qrexec-client'
.PHONY: install-qrexec-client-link uninstall-qrexec-client-link

check_PROGRAMS += tests/unit/qrexec-daemon/call-test
TESTS += tests/unit/qrexec-daemon/call-test
tests_unit_qrexec_daemon_call_test_SOURCES = tests/unit/qrexec-daemon/call-test.c tests/unit/test.h
tests_unit_qrexec_daemon_call_test_LDADD = %D%/libdaemon.la $(CMOCKA_LIBS)

DAEMON_UNIT_TESTS = tests/unit/qrexec-daemon/carried-test tests/unit/qrexec-daemon/deaths-test tests/unit/qrexec-daemon/pending-test tests/unit/qrexec-daemon/ports-test
DAEMON_TALK_TESTS = tests/talk/daemon-agent-test tests/talk/daemon-calls-test tests/talk/daemon-disposable-test \
	tests/talk/daemon-ids-test tests/talk/daemon-ports-test tests/talk/daemon-see-test
DAEMON_STAGE = tests/talk/daemon-stage.c tests/talk/daemon-stage.h tests/unit/test.h
check_PROGRAMS += $(DAEMON_UNIT_TESTS) $(DAEMON_TALK_TESTS)
TESTS += $(DAEMON_UNIT_TESTS) $(DAEMON_TALK_TESTS)
check_PROGRAMS += tests/unit/qrexec-daemon/calls-table-test
TESTS += tests/unit/qrexec-daemon/calls-table-test
tests_unit_qrexec_daemon_calls_table_test_SOURCES = tests/unit/qrexec-daemon/calls-table-test.c tests/unit/test.h
tests_unit_qrexec_daemon_calls_table_test_LDADD = %D%/libcalls.la $(CMOCKA_LIBS)
tests_unit_qrexec_daemon_carried_test_SOURCES = tests/unit/qrexec-daemon/carried-test.c tests/unit/test.h
tests_unit_qrexec_daemon_carried_test_LDADD = %D%/libdaemon.la $(CMOCKA_LIBS)
tests_unit_qrexec_daemon_deaths_test_SOURCES = tests/unit/qrexec-daemon/deaths-test.c tests/unit/test.h
tests_unit_qrexec_daemon_deaths_test_LDADD = %D%/libdaemon.la $(CMOCKA_LIBS)
tests_unit_qrexec_daemon_pending_test_SOURCES = tests/unit/qrexec-daemon/pending-test.c tests/unit/test.h
tests_unit_qrexec_daemon_pending_test_LDADD = %D%/libdaemon.la $(CMOCKA_LIBS)
tests_unit_qrexec_daemon_ports_test_SOURCES = tests/unit/qrexec-daemon/ports-test.c tests/unit/test.h
tests_unit_qrexec_daemon_ports_test_LDADD = %D%/libdaemon.la $(CMOCKA_LIBS)
tests_talk_daemon_agent_test_SOURCES = tests/talk/daemon-agent-test.c $(DAEMON_STAGE)
tests_talk_daemon_agent_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_calls_test_SOURCES = tests/talk/daemon-calls-test.c $(DAEMON_STAGE)
tests_talk_daemon_calls_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_disposable_test_SOURCES = tests/talk/daemon-disposable-test.c $(DAEMON_STAGE)
tests_talk_daemon_disposable_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_ids_test_SOURCES = tests/talk/daemon-ids-test.c $(DAEMON_STAGE)
tests_talk_daemon_ids_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_see_test_SOURCES = tests/talk/daemon-see-test.c $(DAEMON_STAGE)
tests_talk_daemon_see_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_ports_test_SOURCES = tests/talk/daemon-ports-test.c $(DAEMON_STAGE)
tests_talk_daemon_ports_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)

# talks as tables: each row is a test
DAEMON_TABLES = tests/talk/daemon-agent-talks-test tests/talk/daemon-client-talks-test \
	tests/talk/daemon-policy-talks-test tests/talk/daemon-target-talks-test \
	tests/talk/client-call-talks-test tests/talk/client-dom0-talks-test
DAEMON_TALK = tests/talk/daemon-talk.c tests/talk/daemon-talk.h tests/talk/daemon-bytes.c tests/talk/daemon-bytes.h \
	$(DAEMON_STAGE)
check_PROGRAMS += $(DAEMON_TABLES)
TESTS += $(DAEMON_TABLES)
tests_talk_daemon_agent_talks_test_SOURCES = tests/talk/daemon-agent-talks-test.c $(DAEMON_TALK)
tests_talk_daemon_agent_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_client_talks_test_SOURCES = tests/talk/daemon-client-talks-test.c $(DAEMON_TALK)
tests_talk_daemon_client_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_policy_talks_test_SOURCES = tests/talk/daemon-policy-talks-test.c $(DAEMON_TALK)
tests_talk_daemon_policy_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_daemon_target_talks_test_SOURCES = tests/talk/daemon-target-talks-test.c $(DAEMON_TALK)
tests_talk_daemon_target_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_client_call_talks_test_SOURCES = tests/talk/client-call-talks-test.c tests/talk/client-talks.h $(DAEMON_TALK)
tests_talk_client_call_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_client_dom0_talks_test_SOURCES = tests/talk/client-dom0-talks-test.c tests/talk/client-talks.h $(DAEMON_TALK)
tests_talk_client_dom0_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
