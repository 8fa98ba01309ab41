// The tutorial's REST service, in Go: it stores what the reader has read, and lists it.
//
//	go run tweets.go PORT FILE
//
// One thing it knows besides: what came under an Idempotency-Key is stored once. Each tweet is a
// line of the file, with its key, synced before it is acknowledged.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strconv"
	"sync"
)

type tweet struct {
	ID    string `json:"id"`
	Name  string `json:"NAME"`
	Tweet string `json:"TWEET"`
}

type line struct {
	Key string
	tweet
}

type store struct {
	sync.Mutex
	file   *os.File
	keys   map[string]bool
	tweets []tweet
}

func open(path string) (*store, error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	s := &store{file: file, keys: map[string]bool{}, tweets: []tweet{}}
	for lines := bufio.NewScanner(file); lines.Scan(); {
		var l line
		if json.Unmarshal(lines.Bytes(), &l) == nil { // else it was never acknowledged
			s.keys[l.Key], s.tweets = true, append(s.tweets, l.tweet)
		}
	}
	return s, nil
}

func (s *store) insert(w http.ResponseWriter, r *http.Request) {
	var read struct{ Author, Text string }
	if err := json.NewDecoder(r.Body).Decode(&read); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.Lock()
	defer s.Unlock()
	key := r.Header.Get("Idempotency-Key")
	if !s.keys[key] {
		l := line{key, tweet{strconv.Itoa(len(s.tweets) + 1), read.Author, read.Text}}
		row, _ := json.Marshal(l)
		if _, err := s.file.Write(append([]byte("\n"), row...)); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if err := s.file.Sync(); err != nil {
			log.Fatal(err) // what is on the disk, nobody knows
		}
		s.keys[key], s.tweets = true, append(s.tweets, l.tweet)
	}
	w.Write([]byte("Inserted one into the Database"))
}

func (s *store) all(w http.ResponseWriter, _ *http.Request) {
	s.Lock()
	defer s.Unlock()
	json.NewEncoder(w).Encode(s.tweets)
}

func main() {
	s, err := open(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte("Our Simple RESTful Microservice!"))
	})
	http.HandleFunc("/insert", s.insert)
	http.HandleFunc("/all", s.all)
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}
