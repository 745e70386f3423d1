# base: the C library, libseccomp and inih only
noinst_LTLIBRARIES += %D%/libbase.la
%C%_libbase_la_SOURCES = \
	%D%/base/buf.c %D%/base/buf.h \
	%D%/base/call-id.c %D%/base/call-id.h \
	%D%/base/charge.c %D%/base/charge.h \
	%D%/base/group.c %D%/base/group.h \
	%D%/base/ini.c %D%/base/ini.h \
	%D%/base/io.c %D%/base/io.h \
	%D%/base/log.c %D%/base/log.h \
	%D%/base/notify.c %D%/base/notify.h \
	%D%/base/paths.c %D%/base/paths.h \
	%D%/base/sandbox.c %D%/base/sandbox.h \
	%D%/base/spawn.c %D%/base/spawn.h \
	%D%/base/util.c %D%/base/util.h
%C%_libbase_la_CFLAGS = $(AM_CFLAGS) $(INIH_CFLAGS) $(SECCOMP_CFLAGS)
%C%_libbase_la_LIBADD = $(INIH_LIBS) $(SECCOMP_LIBS)


# wire: nothing but the C language
noinst_LTLIBRARIES += %D%/libwire.la
%C%_libwire_la_SOURCES = \
	%D%/wire/admin.c %D%/wire/admin.h \
	%D%/wire/command.c %D%/wire/command.h \
	%D%/wire/io.c \
	%D%/wire/message.c %D%/wire/message.h \
	%D%/wire/message-write.c \
	%D%/wire/policy-text.c %D%/wire/policy-text.h \
	%D%/wire/text.c %D%/wire/text.h \
	%D%/wire/vmexec.c %D%/wire/vmexec.h

# vchan: base, and Xen's libraries in one file alone
noinst_LTLIBRARIES += %D%/libvchan.la
%C%_libvchan_la_SOURCES = \
	%D%/vchan/transport.h \
	%D%/vchan/vchan.c %D%/vchan/vchan.h \
	%D%/vchan/vchan-socket.c
%C%_libvchan_la_LIBADD = %D%/libbase.la
VCHAN_XEN_FILES = %D%/vchan/deaths-xen.c %D%/vchan/lives.c %D%/vchan/lives.h \
	%D%/vchan/transport-xen.h %D%/vchan/vchan-xen.c %D%/vchan/xenstore.c %D%/vchan/xenstore.h
if HAVE_XEN
noinst_LTLIBRARIES += %D%/libvchan-xen.la
%C%_libvchan_xen_la_SOURCES = $(VCHAN_XEN_FILES)
%C%_libvchan_xen_la_CFLAGS = $(AM_CFLAGS) $(XENVCHAN_CFLAGS)
%C%_libvchan_xen_la_LIBADD = $(XENVCHAN_LIBS)
%C%_libvchan_la_LIBADD += %D%/libvchan-xen.la
else
EXTRA_DIST += $(VCHAN_XEN_FILES)
endif

# relay: base, wire, vchan
noinst_LTLIBRARIES += %D%/librelay.la
%C%_librelay_la_SOURCES = \
	%D%/relay/relay.c %D%/relay/relay.h \
	%D%/relay/relay-run.c %D%/relay/relay-run.h %D%/relay/relay-driver.h \
	%D%/relay/relay-streams.c
%C%_librelay_la_LIBADD = %D%/libvchan.la %D%/libwire.la %D%/libbase.la

# What a small client is built of, in one go and with another C library (configure.ac says why). The
# libraries stand for the headers: they are made anew when one changes.
SMALL_FILES = \
	%D%/base/buf.c %D%/base/io.c %D%/base/log.c %D%/base/paths.c %D%/base/spawn.c %D%/base/util.c \
	%D%/wire/admin.c %D%/wire/io.c %D%/wire/message.c %D%/wire/message-write.c %D%/wire/text.c \
	%D%/vchan/vchan.c %D%/vchan/vchan-socket.c \
	%D%/relay/relay.c %D%/relay/relay-run.c %D%/relay/relay-streams.c
SMALL_NEEDS = %D%/librelay.la
SMALL_BUILD = $(MUSL_CC) $(DEFS) $(DEFAULT_INCLUDES) $(AM_CPPFLAGS) $(CPPFLAGS) -DVCHAN_SOCKET_ONLY \
	$(HOUSE_CFLAGS) $(CFLAGS) -fPIE -ffunction-sections -Wl,--gc-sections

# service: base, wire; users in a library of their own, which dom0's end goes without, and PAM in another
noinst_LTLIBRARIES += %D%/libservice.la
%C%_libservice_la_SOURCES = \
	%D%/service/service.h %D%/service/service-internal.h \
	%D%/service/connect.c \
	%D%/service/environment.c \
	%D%/service/find.c \
	%D%/service/log.c \
	%D%/service/plan.c \
	%D%/service/run.c \
	%D%/service/session.c \
	%D%/service/users-dom0.c \
	%D%/service/settings.c \
	%D%/service/words.c
%C%_libservice_la_LIBADD = %D%/libwire.la %D%/libbase.la
noinst_LTLIBRARIES += %D%/libservice-users.la
%C%_libservice_users_la_SOURCES = %D%/service/users.c %D%/service/login.h %D%/service/login-stamp.c
%C%_libservice_users_la_LIBADD = %D%/libservice.la
noinst_LTLIBRARIES += %D%/libservice-login.la
%C%_libservice_login_la_SOURCES = %D%/service/login.c
%C%_libservice_login_la_CFLAGS = $(AM_CFLAGS) $(PAM_CFLAGS)
%C%_libservice_login_la_LIBADD = %D%/libservice-users.la $(PAM_LIBS)

# their unit tests
WIRE_TESTS = tests/unit/wire/message-test \
	tests/unit/wire/policy-text-test \
	tests/unit/wire/admin-test \
	tests/unit/wire/command-test \
	tests/unit/wire/vmexec-test \
	tests/unit/vchan/vchan-socket-test \
	tests/unit/relay/relay-test \
	tests/unit/relay/relay-run-test
check_PROGRAMS += $(WIRE_TESTS)
TESTS += $(WIRE_TESTS)
tests_unit_wire_message_test_SOURCES = tests/unit/wire/message-test.c tests/unit/test.h
tests_unit_wire_message_test_LDADD = libqrexec/libwire.la libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_wire_policy_text_test_SOURCES = tests/unit/wire/policy-text-test.c tests/unit/test.h
tests_unit_wire_policy_text_test_LDADD = libqrexec/libwire.la libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_wire_admin_test_SOURCES = tests/unit/wire/admin-test.c tests/unit/test.h
tests_unit_wire_admin_test_LDADD = libqrexec/libwire.la libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_wire_command_test_SOURCES = tests/unit/wire/command-test.c tests/unit/test.h
tests_unit_wire_command_test_LDADD = libqrexec/libwire.la libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_wire_vmexec_test_SOURCES = tests/unit/wire/vmexec-test.c tests/unit/test.h
tests_unit_wire_vmexec_test_LDADD = libqrexec/libwire.la libqrexec/libbase.la $(CMOCKA_LIBS)
tests_unit_vchan_vchan_socket_test_SOURCES = tests/unit/vchan/vchan-socket-test.c tests/unit/test.h
tests_unit_vchan_vchan_socket_test_LDADD = libqrexec/libvchan.la $(CMOCKA_LIBS)
tests_unit_relay_relay_test_SOURCES = tests/unit/relay/relay-test.c tests/unit/test.h
tests_unit_relay_relay_test_LDADD = libqrexec/librelay.la $(CMOCKA_LIBS)
tests_unit_relay_relay_run_test_SOURCES = tests/unit/relay/relay-run-test.c tests/unit/test.h
tests_unit_relay_relay_run_test_LDADD = libqrexec/librelay.la $(CMOCKA_LIBS)

if HAVE_XEN
check_PROGRAMS += tests/unit/vchan/vchan-xen-test tests/unit/vchan/xenstore-test
TESTS += tests/unit/vchan/vchan-xen-test tests/unit/vchan/xenstore-test
tests_unit_vchan_vchan_xen_test_SOURCES = tests/unit/vchan/vchan-xen-test.c tests/unit/test.h \
	tests/stage/xenstored.c tests/stage/xenstored.h
tests_unit_vchan_vchan_xen_test_LDFLAGS = -Wl,--wrap=access
tests_unit_vchan_vchan_xen_test_LDADD = libqrexec/libvchan.la $(CMOCKA_LIBS)
tests_unit_vchan_xenstore_test_SOURCES = tests/unit/vchan/xenstore-test.c tests/unit/test.h
tests_unit_vchan_xenstore_test_LDADD = libqrexec/libvchan.la $(CMOCKA_LIBS)
else
EXTRA_DIST += tests/unit/vchan/vchan-xen-test.c tests/unit/vchan/xenstore-test.c \
	tests/stage/xenstored.c tests/stage/xenstored.h
endif

# the event loop of the long-running programs
noinst_LTLIBRARIES += %D%/libloop.la
%C%_libloop_la_SOURCES = %D%/base/hangup.c %D%/base/hangup.h %D%/base/loop-main.c %D%/base/loop.h
%C%_libloop_la_LIBADD = $(EV_LIBS)
