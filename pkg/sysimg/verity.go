package sysimg

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"

	"github.com/containerd/go-dmverity/pkg/verity"
)

const blockSize = 4096

// appendVerity puts a dm-verity hash tree with its superblock behind the file
// system in path, as `veritysetup format --hash-offset=SIZE` would. Salt and
// UUID come from the content's digest, so that equal content stays equal.
func appendVerity(path string, digest [sha256.Size]byte) (rootHash string, offset int64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", 0, err
	}
	offset = (info.Size() + blockSize - 1) / blockSize * blockSize
	p := verity.DefaultParams()
	p.HashName, p.HashType = "sha256", 1
	p.DataBlockSize, p.HashBlockSize = blockSize, blockSize
	p.DataBlocks = uint64(offset / blockSize)
	p.HashAreaOffset = uint64(offset)
	p.Salt, p.SaltSize = digest[:], uint16(len(digest))
	copy(p.UUID[:], digest[:16])
	tree, err := verity.GetHashTreeSize(&p)
	if err != nil {
		return "", 0, fmt.Errorf("dm-verity: %w", err)
	}
	// One block for the superblock, which the tree follows.
	if err := os.Truncate(path, offset+blockSize+int64(tree)); err != nil {
		return "", 0, err
	}
	root, err := verity.Create(&p, path, path)
	if err != nil {
		return "", 0, fmt.Errorf("dm-verity: %w", err)
	}
	return hex.EncodeToString(root), offset, nil
}
