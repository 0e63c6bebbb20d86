// Drives the official Go client as the test that started it says: commands are lines of JSON on standard input,
// what happens goes out as lines of JSON. The only argument is the configuration, as JSON too.
package main

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"log"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/nsqio/go-nsq"
)

type settings struct {
	Nsqd    string `json:"nsqd"`
	Lookupd string `json:"lookupd"`
	TLSCa   string `json:"tls_ca"`
	TLSCert string `json:"tls_cert"`
	TLSKey  string `json:"tls_key"`
	Deflate bool   `json:"deflate"`
	Snappy  bool   `json:"snappy"`
	Auth    string `json:"auth"`
}

type command struct {
	Do           string   `json:"do"`
	Topic        string   `json:"topic"`
	Channel      string   `json:"channel"`
	Bodies       []string `json:"bodies"`
	Repeat       int      `json:"repeat"`
	DelayMs      int      `json:"delay_ms"`
	MsgTimeoutMs int      `json:"msg_timeout_ms"`
	MaxInFlight  int      `json:"max_in_flight"`
}

var output sync.Mutex

func tell(event map[string]any) {
	line, err := json.Marshal(event)
	if err != nil {
		log.Fatal(err)
	}
	output.Lock()
	defer output.Unlock()
	fmt.Println(string(line))
}

func textOf(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}

func (s settings) config() (*nsq.Config, error) {
	config := nsq.NewConfig()
	config.Deflate = s.Deflate
	config.Snappy = s.Snappy
	config.AuthSecret = s.Auth
	config.LookupdPollInterval = 200 * time.Millisecond
	config.LookupdPollJitter = 0
	config.MaxAttempts = 0
	if s.TLSCa == "" {
		return config, nil
	}
	pem, err := os.ReadFile(s.TLSCa)
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	config.TlsV1 = true
	config.TlsConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	if s.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(s.TLSCert, s.TLSKey)
		if err != nil {
			return nil, err
		}
		config.TlsConfig.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

type handler struct{}

// HandleMessage does what the body says: "requeue <attempts> <delay ms>", "touch <times>", or else finish.
func (handler) HandleMessage(message *nsq.Message) error {
	message.DisableAutoResponse()
	body := string(message.Body)
	start := body
	if len(start) > 40 {
		start = start[:40]
	}
	tell(map[string]any{
		"event":    "message",
		"body":     start,
		"length":   len(body),
		"sum":      crc32.ChecksumIEEE(message.Body),
		"attempts": message.Attempts,
		"id":       string(message.ID[:]),
	})
	var attempts, delayMs, times int
	if n, _ := fmt.Sscanf(body, "requeue %d %d", &attempts, &delayMs); n == 2 && int(message.Attempts) < attempts {
		message.RequeueWithoutBackoff(time.Duration(delayMs) * time.Millisecond)
		return nil
	}
	if n, _ := fmt.Sscanf(body, "touch %d", &times); n == 1 {
		for i := 0; i < times; i++ {
			time.Sleep(300 * time.Millisecond)
			message.Touch()
		}
	}
	message.Finish()
	tell(map[string]any{"event": "finished", "body": start})
	return nil
}

type client struct {
	settings settings
	producer *nsq.Producer
	logger   *log.Logger
}

func (c *client) publish(do command) error {
	if c.producer == nil {
		config, err := c.settings.config()
		if err != nil {
			return err
		}
		producer, err := nsq.NewProducer(c.settings.Nsqd, config)
		if err != nil {
			return err
		}
		producer.SetLogger(c.logger, nsq.LogLevelInfo)
		c.producer = producer
	}
	var bodies [][]byte
	for _, body := range do.Bodies {
		bodies = append(bodies, []byte(strings.Repeat(body, max(1, do.Repeat))))
	}
	if do.DelayMs > 0 {
		return c.producer.DeferredPublish(do.Topic, time.Duration(do.DelayMs)*time.Millisecond, bodies[0])
	}
	if len(bodies) == 1 {
		return c.producer.Publish(do.Topic, bodies[0])
	}
	return c.producer.MultiPublish(do.Topic, bodies)
}

func (c *client) consume(do command) error {
	config, err := c.settings.config()
	if err != nil {
		return err
	}
	config.MaxInFlight = max(1, do.MaxInFlight)
	config.MsgTimeout = time.Duration(do.MsgTimeoutMs) * time.Millisecond
	consumer, err := nsq.NewConsumer(do.Topic, do.Channel, config)
	if err != nil {
		return err
	}
	consumer.SetLogger(c.logger, nsq.LogLevelInfo)
	consumer.AddConcurrentHandlers(handler{}, 10)
	if c.settings.Lookupd != "" {
		return consumer.ConnectToNSQLookupd(c.settings.Lookupd)
	}
	return consumer.ConnectToNSQD(c.settings.Nsqd)
}

func main() {
	c := &client{logger: log.New(os.Stderr, "", log.Ltime)}
	if err := json.Unmarshal([]byte(os.Args[1]), &c.settings); err != nil {
		log.Fatal(err)
	}
	input := bufio.NewReader(os.Stdin)
	for {
		line, err := input.ReadString('\n')
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		var do command
		if err := json.Unmarshal([]byte(line), &do); err != nil {
			log.Fatal(err)
		}
		switch do.Do {
		case "publish":
			tell(map[string]any{"event": "published", "error": textOf(c.publish(do))})
		case "consume":
			tell(map[string]any{"event": "consuming", "error": textOf(c.consume(do))})
		default:
			log.Fatalf("unknown command %q", do.Do)
		}
	}
}
