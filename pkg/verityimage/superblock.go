package verityimage

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/containerd/go-dmverity/pkg/dm"
)

// Root is what must be trusted: the hash at the top of the tree and where the
// tree's superblock lies in the file.
type Root struct {
	Hash   []byte
	Offset int64
}

// ParseRoot reads "ROOTHASH OFFSET\n".
func ParseRoot(text string) (Root, error) {
	fields := strings.Fields(text)
	if len(fields) != 2 {
		return Root{}, fmt.Errorf("want a root hash and an offset, got %d words", len(fields))
	}
	hash, err := hex.DecodeString(fields[0])
	if err != nil || len(hash) < 20 || len(hash) > 64 {
		return Root{}, errors.New("the root hash is not one in hexadecimal")
	}
	offset, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil || offset <= 0 || offset%512 != 0 {
		return Root{}, fmt.Errorf("%q is not the offset of a superblock", fields[1])
	}
	return Root{Hash: hash, Offset: offset}, nil
}

// superblockSize is that of struct verity_sb of cryptsetup, format 1.
const superblockSize = 512

// superblock says how the tree was made. Nothing in it needs to be trusted: a
// wrong value makes hashes that do not lead to the root.
type superblock struct {
	hashType      uint32
	algorithm     string
	dataBlockSize uint32
	hashBlockSize uint32
	dataBlocks    uint64
	salt          []byte
}

func parseSuperblock(b []byte) (superblock, error) {
	le := binary.LittleEndian
	if len(b) < superblockSize || !bytes.Equal(b[:8], []byte("verity\x00\x00")) {
		return superblock{}, errors.New("there is no dm-verity superblock")
	}
	if v := le.Uint32(b[8:]); v != 1 {
		return superblock{}, fmt.Errorf("dm-verity superblock of version %d", v)
	}
	sb := superblock{
		hashType:      le.Uint32(b[12:]),
		dataBlockSize: le.Uint32(b[64:]),
		hashBlockSize: le.Uint32(b[68:]),
		dataBlocks:    le.Uint64(b[72:]),
	}
	name, _, _ := bytes.Cut(b[32:64], []byte{0})
	for _, c := range name {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return superblock{}, fmt.Errorf("dm-verity superblock names the hash %q", name)
		}
	}
	sb.algorithm = string(name)
	saltSize := le.Uint16(b[80:])
	if saltSize > 256 {
		return superblock{}, fmt.Errorf("dm-verity superblock with %d bytes of salt", saltSize)
	}
	sb.salt = bytes.Clone(b[88 : 88+saltSize])
	for _, size := range []uint32{sb.dataBlockSize, sb.hashBlockSize} {
		if size < 512 || size > 64<<10 || size&(size-1) != 0 {
			return superblock{}, fmt.Errorf("dm-verity superblock with blocks of %d bytes", size)
		}
	}
	switch {
	case sb.algorithm == "":
		return superblock{}, errors.New("dm-verity superblock names no hash")
	case sb.dataBlocks == 0 || sb.dataBlocks > 1<<40:
		return superblock{}, fmt.Errorf("dm-verity superblock with %d blocks", sb.dataBlocks)
	case sb.hashType > 1:
		return superblock{}, fmt.Errorf("dm-verity superblock of hash type %d", sb.hashType)
	}
	return sb, nil
}

// target is the line of the device's table.
func (sb superblock) target(device string, root Root, flags []string) (dm.Target, error) {
	block := uint64(sb.hashBlockSize)
	params, err := dm.BuildTargetParams(dm.OpenArgs{
		Version:       sb.hashType,
		DataDevice:    device,
		HashDevice:    device,
		DataBlockSize: sb.dataBlockSize,
		HashBlockSize: sb.hashBlockSize,
		DataBlocks:    sb.dataBlocks,
		HashName:      sb.algorithm,
		RootDigest:    root.Hash,
		Salt:          sb.salt,
		// The tree starts with the block behind the superblock.
		HashStartBytes: (uint64(root.Offset) + superblockSize + block - 1) / block * block,
		Flags:          flags,
	})
	if err != nil {
		return dm.Target{}, err
	}
	return dm.Target{Length: sb.dataBlocks * uint64(sb.dataBlockSize/512), Type: "verity", Params: params}, nil
}
