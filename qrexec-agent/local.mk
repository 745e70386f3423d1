# qrexec-agent: the VM's end
vmlib_PROGRAMS += %D%/qrexec-agent %D%/qrexec-fork-server %D%/qrexec-session

# all but its main(), for tests too
AGENT_PARTS = \
	%D%/agent.h \
	%D%/calls.c \
	%D%/carry.c %D%/carry.h \
	%D%/clients.c \
	%D%/control.c \
	%D%/session-wait.c
AGENT_SESSIONS = %D%/session-call.c %D%/session-call.h %D%/sessions.c
%C%_qrexec_agent_SOURCES = %D%/agent-main.c $(AGENT_PARTS) $(AGENT_SESSIONS)
%C%_qrexec_agent_LDADD = libqrexec/libservice-users.la libqrexec/librelay.la libqrexec/libloop.la

%C%_qrexec_fork_server_SOURCES = %D%/fork-server.c %D%/carry.c %D%/carry.h
%C%_qrexec_fork_server_LDADD = libqrexec/libservice-users.la libqrexec/librelay.la

%C%_qrexec_session_SOURCES = %D%/qrexec-session.c %D%/session-call.c %D%/session-call.h %D%/carry.c %D%/carry.h
%C%_qrexec_session_LDADD = libqrexec/libservice-login.la libqrexec/librelay.la

CLIENT_VM_FILES = %D%/client-vm.c %D%/client-vm-options.c %D%/client-vm-options.h %D%/open-calls.c %D%/open-calls.h
if HAVE_MUSL
vmbin_SCRIPTS += %D%/qrexec-client-vm
CLEANFILES += %D%/qrexec-client-vm
%D%/qrexec-client-vm: $(CLIENT_VM_FILES) $(SMALL_FILES) $(SMALL_NEEDS)
	$(AM_V_CCLD)$(SMALL_BUILD) -o $@ \
		`for f in $(CLIENT_VM_FILES) $(SMALL_FILES); do case $$f in *.c) echo $(srcdir)/$$f;; esac; done` $(MUSL_LINK)
if HAVE_XEN
vmlib_PROGRAMS += %D%/qrexec-client-vm-full
%C%_qrexec_client_vm_full_SOURCES = $(CLIENT_VM_FILES)
%C%_qrexec_client_vm_full_LDADD = libqrexec/librelay.la
%C%_qrexec_client_vm_full_LDFLAGS = $(CLIENT_LDFLAGS)
endif
else
vmbin_PROGRAMS += %D%/qrexec-client-vm
%C%_qrexec_client_vm_SOURCES = $(CLIENT_VM_FILES)
%C%_qrexec_client_vm_LDADD = libqrexec/librelay.la
%C%_qrexec_client_vm_LDFLAGS = $(CLIENT_LDFLAGS)
endif

# Scripts look for the client at its old place beside the agent, too.
install-client-vm-link:
	$(MKDIR_P) '$(DESTDIR)$(vmlibdir)'
	rm -f '$(DESTDIR)$(vmlibdir)/qrexec-client-vm'
	ln -s ../../bin/qrexec-client-vm '$(DESTDIR)$(vmlibdir)/qrexec-client-vm'
uninstall-client-vm-link:
	rm -f '$(DESTDIR)$(vmlibdir)/qrexec-client-vm'
.PHONY: install-client-vm-link uninstall-client-vm-link
INSTALL_HOOKS += install-client-vm-link
UNINSTALL_HOOKS += uninstall-client-vm-link
install-vm-links: install-client-vm-link

AGENT_SHELL_TESTS = tests/unit/qrexec-agent/manual-test tests/unit/qrexec-agent/usage-test
dist_check_SCRIPTS += $(AGENT_SHELL_TESTS)
TESTS += $(AGENT_SHELL_TESTS)
check_PROGRAMS += tests/unit/qrexec-agent/open-calls-test
TESTS += tests/unit/qrexec-agent/open-calls-test
tests_unit_qrexec_agent_open_calls_test_SOURCES = tests/unit/qrexec-agent/open-calls-test.c tests/unit/test.h \
	%D%/open-calls.c %D%/open-calls.h
tests_unit_qrexec_agent_open_calls_test_LDADD = libqrexec/libvchan.la libqrexec/libbase.la $(CMOCKA_LIBS)

# talks with a scripted daemon; they run the programs of this folder
AGENT_TALKS = tests/talk/agent-exec-test tests/talk/agent-session-test tests/talk/agent-trigger-test
check_PROGRAMS += $(AGENT_TALKS)
TESTS += $(AGENT_TALKS)
tests_talk_agent_exec_test_SOURCES = tests/talk/agent-exec-test.c \
	tests/talk/agent-peer.c tests/talk/agent-peer.h tests/unit/test.h
tests_talk_agent_exec_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_agent_session_test_SOURCES = tests/talk/agent-session-test.c \
	tests/talk/agent-peer.c tests/talk/agent-peer.h tests/unit/test.h
tests_talk_agent_session_test_LDADD = libqrexec/libservice-users.la libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_agent_trigger_test_SOURCES = tests/talk/agent-trigger-test.c \
	tests/talk/agent-peer.c tests/talk/agent-peer.h tests/unit/test.h
tests_talk_agent_trigger_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)

# tables of talks, one program against everybody else played by the row
VM_TALK = tests/talk/vm-talk.c tests/talk/vm-talk.h tests/talk/vm-play.c tests/talk/vm-play.h \
	 tests/talk/vm-world.c tests/talk/vm-world.h \
	tests/talk/daemon-bytes.c tests/talk/daemon-bytes.h tests/talk/daemon-stage.c tests/talk/daemon-stage.h \
	tests/unit/test.h
VM_TALKS = tests/talk/agent-callers-talks-test tests/talk/agent-control-talks-test \
	tests/talk/agent-services-talks-test tests/talk/client-vm-talks-test \
	tests/talk/data-caller-talks-test tests/talk/data-service-talks-test tests/talk/fork-server-talks-test
check_PROGRAMS += $(VM_TALKS)
TESTS += $(VM_TALKS)
tests_talk_agent_callers_talks_test_SOURCES = tests/talk/agent-callers-talks-test.c $(VM_TALK)
tests_talk_agent_callers_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_agent_control_talks_test_SOURCES = tests/talk/agent-control-talks-test.c $(VM_TALK)
tests_talk_agent_control_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_agent_services_talks_test_SOURCES = tests/talk/agent-services-talks-test.c $(VM_TALK)
tests_talk_agent_services_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_client_vm_talks_test_SOURCES = tests/talk/client-vm-talks-test.c $(VM_TALK)
tests_talk_client_vm_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_data_caller_talks_test_SOURCES = tests/talk/data-caller-talks-test.c $(VM_TALK)
tests_talk_data_caller_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_data_service_talks_test_SOURCES = tests/talk/data-service-talks-test.c $(VM_TALK)
tests_talk_data_service_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)
tests_talk_fork_server_talks_test_SOURCES = tests/talk/fork-server-talks-test.c $(VM_TALK)
tests_talk_fork_server_talks_test_LDADD = libqrexec/libbase.la $(CMOCKA_LIBS)

SERVICE_TESTS = tests/unit/service/environment-test tests/unit/service/find-test \
	tests/unit/service/settings-test
check_PROGRAMS += $(SERVICE_TESTS)
TESTS += $(SERVICE_TESTS)
tests_unit_service_environment_test_SOURCES = tests/unit/service/environment-test.c tests/unit/test.h
tests_unit_service_environment_test_LDADD = libqrexec/libservice.la $(CMOCKA_LIBS)
tests_unit_service_find_test_SOURCES = tests/unit/service/find-test.c tests/unit/test.h
tests_unit_service_find_test_LDADD = libqrexec/libservice.la $(CMOCKA_LIBS)
tests_unit_service_settings_test_SOURCES = tests/unit/service/settings-test.c tests/unit/test.h
tests_unit_service_settings_test_LDADD = libqrexec/libservice.la $(CMOCKA_LIBS)
