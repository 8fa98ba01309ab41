// The peer: what a team that left Python would write. gorilla/mux in front of MariaDB, its
// connections pooled and kept, its statements prepared once; a row is committed before its answer.
//
//	rooms_and_tweets SOCKET CONNECTIONS
//
// POST /api/v1/rooms keeps a room, GET /insert/AUTHOR/TEXT a tweet, as the tutorial's address does;
// nothing is scored. It makes its database, peer, where there is none.
package main

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"syscall"

	_ "github.com/go-sql-driver/mysql"
	"github.com/gorilla/mux"
)

var schema = []string{
	`CREATE TABLE IF NOT EXISTS room (
		seq BIGINT AUTO_INCREMENT PRIMARY KEY, id CHAR(36) NOT NULL UNIQUE, type VARCHAR(100) NOT NULL,
		rate_amount BIGINT NOT NULL, rate_currency CHAR(3) NOT NULL, status VARCHAR(20) NOT NULL,
		INDEX room_by_type (type, seq)
	) ENGINE = InnoDB`,
	`CREATE TABLE IF NOT EXISTS tweet (
		seq BIGINT AUTO_INCREMENT PRIMARY KEY, author VARCHAR(100) NOT NULL, text TEXT NOT NULL
	) ENGINE = InnoDB`,
}

type money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

type room struct {
	ID     string `json:"id"`
	Type   string `json:"type"`
	Rate   money  `json:"rate"`
	Status string `json:"status"`
}

type server struct {
	db                      *sql.DB
	insertRoom, insertTweet *sql.Stmt
}

func (s *server) createRoom(w http.ResponseWriter, r *http.Request) {
	var made room
	body := json.NewDecoder(r.Body)
	body.DisallowUnknownFields()
	if err := body.Decode(&made); err != nil || made.Type == "" || len(made.Rate.Currency) != 3 || made.Rate.Amount < 0 {
		http.Error(w, "a room has a type and a rate", http.StatusUnprocessableEntity)
		return
	}
	made.ID, made.Status = newID(), "available"
	if _, err := s.insertRoom.Exec(made.ID, made.Type, made.Rate.Amount, made.Rate.Currency, made.Status); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusCreated)
	json.NewEncoder(w).Encode(made)
}

func (s *server) insert(w http.ResponseWriter, r *http.Request) {
	said := mux.Vars(r)
	if _, err := s.insertTweet.Exec(said["author"], said["text"]); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	fmt.Fprint(w, "Inserted one into the Database")
}

// Who loads it counts the rows afterwards, as in the files of the others.
func (s *server) rows(w http.ResponseWriter, r *http.Request) {
	counted := map[string]int64{"room": 0, "tweet": 0}
	for table := range counted {
		var n int64
		if err := s.db.QueryRow("SELECT count(*) FROM " + table).Scan(&n); err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		counted[table] = n
	}
	json.NewEncoder(w).Encode(counted)
}

func newID() string {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		log.Fatal(err)
	}
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80 // version 4
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func opened(name string) *sql.DB {
	db, err := sql.Open("mysql", name)
	if err != nil {
		log.Fatal(err)
	}
	return db
}

func prepared(db *sql.DB, statement string) *sql.Stmt {
	made, err := db.Prepare(statement)
	if err != nil {
		log.Fatal(err)
	}
	return made
}

func main() {
	connections, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	root := "root@unix(" + os.Args[1] + ")/"
	first := opened(root)
	if _, err := first.Exec("CREATE DATABASE IF NOT EXISTS peer"); err != nil {
		log.Fatal(err)
	}
	first.Close()
	db := opened(root + "peer")
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	for _, statement := range schema {
		if _, err := db.Exec(statement); err != nil {
			log.Fatal(err)
		}
	}
	s := &server{
		db:          db,
		insertRoom:  prepared(db, "INSERT INTO room (id, type, rate_amount, rate_currency, status) VALUES (?, ?, ?, ?, ?)"),
		insertTweet: prepared(db, "INSERT INTO tweet (author, text) VALUES (?, ?)"),
	}

	routes := mux.NewRouter()
	routes.HandleFunc("/api/v1/rooms", s.createRoom).Methods("POST")
	routes.HandleFunc("/insert/{author}/{text:.*}", s.insert).Methods("GET")
	routes.HandleFunc("/rows", s.rows).Methods("GET")
	routes.HandleFunc("/readyz", func(http.ResponseWriter, *http.Request) {}).Methods("GET")

	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf(`{"event": "ready", "listeners": {"gateway": "http://%s"}}`+"\n", listener.Addr())
	web := &http.Server{Handler: routes}
	told, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Notify(told, syscall.SIGTERM)
	go func() {
		<-told
		web.Shutdown(context.Background())
		close(done)
	}()
	if err := web.Serve(listener); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-done
}
