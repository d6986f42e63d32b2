// Package diskimage writes the disk of an installed Testudo into a file: a GPT
// with an EFI system partition (FAT32, label TESTUDO_ESP: boot loader, unified
// kernel images, system images) and an empty partition named TESTUDO_STATE. It needs no root, no mounts and no loop devices, and makes
// the same bytes of the same content. The builder imports it.
package diskimage
