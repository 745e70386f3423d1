# Each call of the C library that our code makes fails once: see failing.h.
FAILING_CALLS = socket socketpair pipe2 accept4 connect bind listen shutdown getsockopt setsockopt read write writev recv send sendto \
	poll epoll_create1 epoll_ctl eventfd inotify_init1 inotify_add_watch signalfd memfd_create mkostemp dup2 fstat stat lstat \
	readlink access eaccess unlink rename renameat2 symlink mkdir fchmod fsync lseek chdir setsid sigprocmask waitpid execve \
	getpwnam getpwuid fdopen open_memstream fclose getaddrinfo fork open fcntl syscall prctl malloc calloc reallocarray realloc strdup \
	vasprintf free
FAILING_WRAPS = $(FAILING_CALLS:%=-Wl,--wrap=%)
FAILING = %D%/failing.c %D%/failing.h
FAILING_TESTS = %D%/base-test %D%/calls-test %D%/service-test %D%/daemon-test \
	%D%/agent-test
check_PROGRAMS += $(FAILING_TESTS)
TESTS += $(FAILING_TESTS)
%C%_base_test_SOURCES = %D%/base-test.c $(FAILING) $(STAGE_FOLDER) $(STAGE_LOOP) libqrexec/base/hangup.c
%C%_base_test_CPPFLAGS = $(AM_CPPFLAGS)
%C%_base_test_LDFLAGS = $(FAILING_WRAPS)
%C%_base_test_LDADD = libqrexec/libbase.la
%C%_calls_test_SOURCES = %D%/calls-test.c $(FAILING) $(STAGE_FOLDER) qrexec-agent/carry.c qrexec-agent/carry.h
%C%_calls_test_CPPFLAGS = $(AM_CPPFLAGS)
%C%_calls_test_LDFLAGS = $(FAILING_WRAPS)
%C%_calls_test_LDADD = libqrexec/libservice-users.la libqrexec/librelay.la
%C%_service_test_SOURCES = %D%/service-test.c $(FAILING) $(STAGE_FOLDER)
%C%_service_test_LDFLAGS = $(FAILING_WRAPS)
%C%_service_test_LDADD = libqrexec/libservice-users.la
%C%_daemon_test_SOURCES = %D%/daemon-test.c $(FAILING) $(STAGE_FOLDER) $(STAGE_LOOP) $(STAGE_VCHAN)
%C%_daemon_test_LDFLAGS = $(FAILING_WRAPS)
%C%_daemon_test_LDADD = qrexec-daemon/libdaemon.la
%C%_agent_test_SOURCES = %D%/agent-test.c $(FAILING) $(STAGE_FOLDER) $(STAGE_LOOP) $(STAGE_VCHAN) $(AGENT_PARTS) $(AGENT_SESSIONS)
%C%_agent_test_CPPFLAGS = $(AM_CPPFLAGS)
%C%_agent_test_LDFLAGS = $(FAILING_WRAPS)
%C%_agent_test_LDADD = libqrexec/libservice-users.la libqrexec/librelay.la
