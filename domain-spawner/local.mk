# domain-spawner
noinst_LTLIBRARIES += %D%/libspawner.la
%C%_libspawner_la_SOURCES = \
	%D%/adopt.c %D%/dict.c %D%/dict.h %D%/disposable.c %D%/domains.c \
	%D%/domains.h %D%/events.c %D%/firewall.c %D%/helper-link.c \
	%D%/journal.c %D%/journal.h %D%/life.c %D%/methods.c \
	%D%/methods.h %D%/methods-info.c %D%/methods-pool.c %D%/methods-property.c \
	%D%/methods-tag.c %D%/methods-text.c %D%/methods-vm.c %D%/property.c \
	%D%/property.h %D%/property-check.c %D%/property-derive.c %D%/property-table.c \
	%D%/property-table.h %D%/records.c %D%/refusal.c %D%/refusal.h \
	%D%/registry.c %D%/registry.h %D%/registry-text.c %D%/server.c \
	%D%/spawner.h
%C%_libspawner_la_CFLAGS = $(AM_CFLAGS) $(JANSSON_CFLAGS)
%C%_libspawner_la_LIBADD = libqrexec/libwire.la libqrexec/libbase.la $(JANSSON_LIBS)
sbin_PROGRAMS += %D%/domain-spawner
%C%_domain_spawner_SOURCES = %D%/spawner-main.c
%C%_domain_spawner_LDADD = %D%/libspawner.la %D%/libhelper.la libqrexec/libloop.la

include domain-spawner/front-tests.mk
include domain-spawner/helper.mk
include domain-spawner/commands/commands.mk
