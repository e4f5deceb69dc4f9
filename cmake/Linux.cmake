# SPDX-License-Identifier: BSD-2-Clause
#
# The Linux guest kernel: Debian's source + guest-patches/linux-6.12/*.patch, configured as
# tinyconfig + guest-patches/config/*.config. Sets LINUX_BZIMAGE and LINUX_VMLINUX; target: linux.
# The same source with the kernel's own checks on is in <build>/linux-debug; target: linux_debug, which
# only the nightly tests need.
# tools/linux_build.py keeps the time stamps of unchanged files, so a changed patch rebuilds little.

set(LINUX_PATCHES ${CMAKE_SOURCE_DIR}/guest-patches/linux-6.12)
set(LINUX_CONFIGS ${CMAKE_SOURCE_DIR}/guest-patches/config)
set(LINUX_DIR ${CMAKE_BINARY_DIR}/linux)

function(ringfence_build_linux out)
	set(patterns ${ARGN})
	list(TRANSFORM patterns APPEND /*.config)
	file(GLOB inputs CONFIGURE_DEPENDS ${LINUX_PATCHES}/*.patch ${patterns})
	add_custom_command(
		OUTPUT ${out}/arch/x86/boot/bzImage
		BYPRODUCTS ${out}/vmlinux
		COMMAND Python3::Interpreter -B ${CMAKE_SOURCE_DIR}/tools/linux_build.py
			--tarball ${RINGFENCE_LINUX_TARBALL} --patches ${LINUX_PATCHES}
			--configs ${ARGN} --source ${CMAKE_BINARY_DIR}/linux-src --out ${out}
		DEPENDS ${CMAKE_SOURCE_DIR}/tools/linux_build.py ${RINGFENCE_LINUX_TARBALL} ${inputs}
		COMMENT "Building Linux 6.12 (minutes the first time)"
		USES_TERMINAL VERBATIM)
endfunction()

# A developer with several work trees of one clone builds Linux once and says so with
# `git config ringfence.linux-build DIR`.
if(NOT RINGFENCE_LINUX_BUILD)
	execute_process(COMMAND git -C ${CMAKE_SOURCE_DIR} config --get ringfence.linux-build
		OUTPUT_VARIABLE RINGFENCE_LINUX_BUILD OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
endif()
if(RINGFENCE_LINUX_BUILD)
	if(NOT EXISTS ${LINUX_DIR} OR IS_SYMLINK ${LINUX_DIR})
		file(CREATE_LINK ${RINGFENCE_LINUX_BUILD} ${LINUX_DIR} SYMBOLIC)
	endif()
endif()
set(LINUX_BZIMAGE ${LINUX_DIR}/arch/x86/boot/bzImage)
set(LINUX_VMLINUX ${LINUX_DIR}/vmlinux)

if(RINGFENCE_LINUX_BUILD)
	message(STATUS "Linux: using ${RINGFENCE_LINUX_BUILD}")
	add_custom_target(linux)
elseif(RINGFENCE_LINUX AND EXISTS ${LINUX_CONFIGS})
	ringfence_build_linux(${LINUX_DIR} ${LINUX_CONFIGS})
	add_custom_target(linux ALL DEPENDS ${LINUX_BZIMAGE})
endif()

if(RINGFENCE_LINUX AND TARGET linux)
	ringfence_build_linux(${CMAKE_BINARY_DIR}/linux-debug ${LINUX_CONFIGS} ${LINUX_CONFIGS}/debug)
	add_custom_target(linux_debug DEPENDS ${CMAKE_BINARY_DIR}/linux-debug/arch/x86/boot/bzImage)
	add_dependencies(linux_debug linux) # they share the source tree
	add_dependencies(nightly linux_debug)
endif()
