# SPDX-License-Identifier: BSD-2-Clause
#
# How a newlib domain is compiled and linked.
#
#   ringfence_add_domain(NAME source... [LIBS target...] [DEFINES d...] [INCLUDES dir...])
#       <build>/domains/NAME.elf: a static ELF at PV_EXPLICIT_BASE with libpv, newlib and libgcc.
#   ringfence_add_domain_library(NAME source... [LIBS target...] [DEFINES d...] [INCLUDES dir...])
#       a static library for such domains. INCLUDES are seen by its users too.
#
# The target `pv` (userland/libpv) brings the start code; userland/libpv/domain.ld is the layout.

execute_process(COMMAND ${CMAKE_C_COMPILER} -print-file-name=include
	OUTPUT_VARIABLE GCC_INCLUDE_DIR OUTPUT_STRIP_TRAILING_WHITESPACE)

set(DOMAIN_LINKER_SCRIPT ${CMAKE_SOURCE_DIR}/userland/libpv/domain.ld)
set(DOMAIN_OUTPUT_DIR ${CMAKE_BINARY_DIR}/domains)

add_library(domain_options INTERFACE)
target_compile_options(domain_options INTERFACE
	-O2 -g -fno-pic -fno-pie -mcmodel=small -mno-red-zone -fno-stack-protector
	-fcf-protection=none -ffunction-sections -fdata-sections -fno-common
	-fno-asynchronous-unwind-tables -ffile-prefix-map=${CMAKE_SOURCE_DIR}/=
	-U__linux__ -U__gnu_linux__ -U__linux -Ulinux
	-nostdinc "SHELL:-isystem ${NEWLIB_INCLUDE_DIR}" "SHELL:-isystem ${GCC_INCLUDE_DIR}"
	$<$<COMPILE_LANGUAGE:C>:-std=gnu11;-Wall;-Wextra;-Wshadow;-Wvla;-Wmissing-prototypes;-Werror>)

function(ringfence_domain_target name)
	cmake_parse_arguments(PARSE_ARGV 1 ARG "" "" "SOURCES;LIBS;DEFINES;INCLUDES")
	target_sources(${name} PRIVATE ${ARG_UNPARSED_ARGUMENTS} ${ARG_SOURCES})
	target_link_libraries(${name} PRIVATE domain_options)
	target_link_libraries(${name} PUBLIC pv_abi ${ARG_LIBS})
	target_compile_definitions(${name} PRIVATE ${ARG_DEFINES})
	target_include_directories(${name} PUBLIC ${ARG_INCLUDES})
	add_dependencies(${name} newlib)
endfunction()

function(ringfence_add_domain_library name)
	add_library(${name} STATIC)
	ringfence_domain_target(${name} ${ARGN})
endfunction()

function(ringfence_add_domain name)
	add_executable(${name})
	set_property(GLOBAL APPEND PROPERTY RINGFENCE_DOMAINS ${name})
	ringfence_domain_target(${name} ${ARGN})
	set_target_properties(${name} PROPERTIES
		SUFFIX .elf
		RUNTIME_OUTPUT_DIRECTORY ${DOMAIN_OUTPUT_DIR}
		LINK_DEPENDS "${DOMAIN_LINKER_SCRIPT};${NEWLIB_LIBC}")
	target_link_libraries(${name} PRIVATE pv)
	target_link_options(${name} PRIVATE
		-nostdlib -static -no-pie -Wl,-T,${DOMAIN_LINKER_SCRIPT} -Wl,--gc-sections
		-Wl,--build-id=none -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack)
	target_link_libraries(${name} PRIVATE
		-Wl,--start-group $<TARGET_FILE:pv> ${NEWLIB_LIBC} ${NEWLIB_LIBM} -lgcc -Wl,--end-group)
endfunction()
